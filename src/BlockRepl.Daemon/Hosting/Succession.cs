using System.Diagnostics;
using System.Globalization;
using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Core;
using BlockRepl.Daemon.Nodes;
using Microsoft.Extensions.Logging;
using Mono.Unix.Native;

namespace BlockRepl.Daemon.Hosting;

/// <summary>
/// One daemon takes the place of another, with devices in use: <c>blockrepl restart</c>, also after an upgrade. The new
/// process is started first and gets as far as it can; if it does not get there, nothing has changed. Then the old one
/// finishes what is under way and ends at once, as if it was killed: the kernel keeps the devices, the record says what
/// was under way, the note says who was Primary.
/// </summary>
/// <remarks>
/// The two talk through the new one's standard streams: it writes a line when it is ready, and its input ends with the
/// old one, however that ends.
/// </remarks>
internal sealed class Succession(Node node, SystemdNotifier notifier, ILogger<Succession> logger)
{
    public const string Option = "--successor";
    public const string Command = "restart";

    private const string Ready = "ready";
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How long the old process may take to close its descriptors. Its end cannot be waited for: a thread of it may be
    /// waiting for an answer of a device, which the new one has to give.
    /// </summary>
    public static readonly TimeSpan EndTime = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Longest wait for what is under way. What is not finished then is done again by the kernel, or resynchronised.
    /// </summary>
    private static readonly TimeSpan QuiesceTime = TimeSpan.FromMilliseconds(500);

    private Process? _successor;

    /// <summary>In the new process: tells that it is ready and waits for the old one's end.</summary>
    public static async Task WaitForTurnAsync()
    {
        await Console.Out.WriteLineAsync(Ready);
        await Console.In.ReadToEndAsync();
    }

    /// <summary>Starts the new process and waits until it is ready.</summary>
    public async Task<ControlReply> PrepareAsync()
    {
        if (_successor is not null)
        {
            return Refuse("a successor has been started already.");
        }

        Process process;
        try
        {
            process = Process.Start(StartInfo()) ?? throw new IOException("no process was started");
        }
        catch (Exception error) when (error is IOException or System.ComponentModel.Win32Exception)
        {
            return Refuse($"the new process cannot be started: {error.Message}");
        }

        _successor = process;
        string? line = null;
        try
        {
            line = await process.StandardOutput.ReadLineAsync().WaitAsync(StartTime);
        }
        catch (TimeoutException)
        {
            process.Kill();
        }

        if (line != Ready)
        {
            _successor = null;
            process.Dispose();
            return Refuse("the new process does not start; the daemon's log has what it said. This one goes on.");
        }

        return new ControlReply
        {
            ExitCode = ExitCodes.Success,
            Output = process.Id.ToString(CultureInfo.InvariantCulture),
        };
    }

    /// <summary>Ends this process in favour of the prepared one, whatever happens on the way.</summary>
    public async Task HandOverAsync()
    {
        try
        {
            notifier.MainProcess(_successor!.Id);
            await FinishAsync();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            Log.HandOverIncomplete(logger, error.Message);
        }

        // No clean-up may run: it would take down what is to go on.
        _ = Syscall._exit(ExitCodes.Success);
    }

    private async Task FinishAsync()
    {
        IReadOnlyList<UpResource> resources = node.Up;
        Task quiet = Task.WhenAll(resources.Select(r => r.Running.ExecuteAsync(new AdminCommand.Quiesce())));
        HandedOver[] states = await Task.WhenAll(
            resources.Select(async r => HandedOver.Of(r.Name, await r.Running.GetStatusAsync())));
        if (await Task.WhenAny(quiet, Task.Delay(QuiesceTime)) != quiet)
        {
            Log.HandOverUnfinished(logger, QuiesceTime.TotalMilliseconds);
        }

        HandOver.Write(node.Location.HandOverPath, states);
    }

    private static ProcessStartInfo StartInfo()
    {
        string[] arguments = Environment.GetCommandLineArgs();
        string program = Environment.ProcessPath!;
        bool byHost = Path.GetFileNameWithoutExtension(program) == "dotnet";
        return new ProcessStartInfo(
            program, [.. arguments.Skip(byHost ? 0 : 1).Where(argument => argument != Option), Option])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
    }

    private static ControlReply Refuse(string message) =>
        new() { ExitCode = ExitCodes.CannotExecute, Messages = [$"restart: {message}"] };
}
