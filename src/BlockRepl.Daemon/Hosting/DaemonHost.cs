using System.Reflection;
using BlockRepl.Administration;
using BlockRepl.Daemon.Control;
using BlockRepl.Daemon.Devices;
using BlockRepl.Daemon.Nodes;
using BlockRepl.FrontEnd.Devices;
using BlockRepl.FrontEnd.Fuse;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Mono.Unix.Native;

namespace BlockRepl.Daemon.Hosting;

/// <summary>Puts the daemon together, runs it until a signal, takes it apart in order.</summary>
internal static class DaemonHost
{
    public static string Version { get; } =
        typeof(DaemonHost).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?
            .InformationalVersion.Split('+')[0] ?? "?";

    /// <summary>Long enough for every resource to drain, demote and say goodbye to its peer.</summary>
    private static readonly TimeSpan ShutdownTime = TimeSpan.FromSeconds(60);

    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(DaemonOptions options, CancellationToken cancellation)
    {
        // Sockets and locks are for the daemon's user only, from the moment they exist.
        Syscall.umask(FilePermissions.S_IRWXG | FilePermissions.S_IRWXO);
        try
        {
            using IHost host = Build(options);
            if (options.IsSuccessor)
            {
                await Succession.WaitForTurnAsync();
            }

            using RunDirectoryLock runDirectory = RunDirectoryLock.Take(
                options.Location, options.IsSuccessor ? Succession.EndTime : default);
            await host.RunAsync(cancellation);
            return ExitCodes.Success;
        }
        catch (StartupException error)
        {
            await Console.Error.WriteLineAsync("blockrepld: " + error.Message);
            return ExitCodes.CannotExecute;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return ExitCodes.Success;
        }
    }

    private static IHost Build(DaemonOptions options)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings
        {
            ApplicationName = "blockrepld",
            DisableDefaults = true,
        });
        ConfigureLogging(builder.Logging);
        builder.Services.Configure<ConsoleLifetimeOptions>(lifetime => lifetime.SuppressStatusMessages = true);
        builder.Services.Configure<HostOptions>(host =>
        {
            host.ShutdownTimeout = ShutdownTime;
            host.BackgroundServiceExceptionBehavior = BackgroundServiceExceptionBehavior.StopHost;
        });
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(options.Location);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<SystemdNotifier>();
        builder.Services.AddSingleton(services => FrontEnds(services.GetRequiredService<ILoggerFactory>()));
        builder.Services.AddSingleton<DeviceService>();
        builder.Services.AddSingleton<NodeEvents>();
        builder.Services.AddSingleton<EngineResourceFactory>();
        builder.Services.AddSingleton<IResourceFactory>(services => new DeviceResourceFactory(
            services.GetRequiredService<EngineResourceFactory>(),
            services.GetRequiredService<DeviceService>(),
            services.GetRequiredService<ILoggerFactory>()));
        builder.Services.AddSingleton<Node>();
        builder.Services.AddSingleton<CommandDispatcher>();
        builder.Services.AddSingleton<ToolRunner>();
        builder.Services.AddSingleton<Resumption>();
        builder.Services.AddSingleton<Succession>();

        // Stopped in the reverse order: first no new commands, then the resources.
        builder.Services.AddHostedService<NodeService>();
        builder.Services.AddHostedService<ControlServer>();
        return builder.Build();
    }

    /// <summary>The ways to give a volume a device, the best first.</summary>
    private static IReadOnlyList<IDeviceFrontEnd> FrontEnds(ILoggerFactory loggers) =>
    [
        new UblkFrontEnd(loggers.CreateLogger("ublk")),
        new NbdFrontEnd(loggers.CreateLogger("nbd")),
        new FuseFrontEnd(loggers.CreateLogger("fuse")),
    ];

    private static void ConfigureLogging(ILoggingBuilder logging)
    {
        logging.SetMinimumLevel(LogLevel.Information);
        logging.AddFilter("Microsoft", LogLevel.Warning);

        // What ends the host is told in our own words, without a stack.
        logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
        logging.AddSimpleConsole(format =>
        {
            format.SingleLine = true;
            format.TimestampFormat = "yyyy-MM-dd HH:mm:ss.fff ";
            format.ColorBehavior = LoggerColorBehavior.Disabled;
        });
        logging.Services.Configure<ConsoleLoggerOptions>(console =>
        {
            console.LogToStandardErrorThreshold = LogLevel.Trace;

            // A reader of the log that stalls must not stall replication.
            console.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite;
        });
    }
}

/// <summary>The daemon cannot start; the message says why and what to do.</summary>
internal sealed class StartupException(string message) : Exception(message);
