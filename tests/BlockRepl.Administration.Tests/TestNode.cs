using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using BlockRepl.Administration.Control;
using BlockRepl.Cli;
using BlockRepl.Daemon.Control;
using BlockRepl.Daemon.Devices;
using BlockRepl.Daemon.Hosting;
using BlockRepl.Daemon.Nodes;
using Microsoft.Extensions.Logging.Abstractions;

namespace BlockRepl.Administration.Tests;

/// <summary>
/// A node in this process: configuration in a directory of its own, fake resources, the real control socket.
/// </summary>
internal sealed class TestNode : IAsyncDisposable
{
    public const string TwoResources = """
        resource r0 {
          startup { wfc-timeout 30; degr-wfc-timeout 20; outdated-wfc-timeout 10; }
          device minor 0; disk /dev/x; meta-disk internal;
          on a { address 127.0.0.1:7788; } on b { address 127.0.0.2:7788; }
        }
        resource r1 {
          volume 0 { device minor 1; disk /dev/y; meta-disk internal; }
          volume 1 { device minor 2; disk /dev/z; meta-disk internal; }
          on a { address 127.0.0.1:7789; } on b { address 127.0.0.2:7789; }
        }
        """;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("br");
    private readonly ControlServer _server;

    private TestNode(string configuration, DeviceSetup? devices)
    {
        Resources = new FakeResources(devices);
        string path = Path.Combine(_directory.FullName, "drbd.conf");
        File.WriteAllText(path, configuration);
        Location = new NodeLocation { ConfigPath = path, Node = "a", RunDirectory = _directory.FullName };
        Node = new Node(Location, Resources, Events, NullLogger<Node>.Instance);
        Dispatcher = new CommandDispatcher(Node, Time, NullLogger<CommandDispatcher>.Instance);
        var succession = new Succession(
            Node, new SystemdNotifier(NullLogger<SystemdNotifier>.Instance), NullLogger<Succession>.Instance);
        var tools = new ToolRunner(Node, Dispatcher, Time, NullLogger<ToolRunner>.Instance);
        _server = new ControlServer(Location, Dispatcher, tools, succession, NullLogger<ControlServer>.Instance);
    }

    public NodeLocation Location { get; }

    public FakeResources Resources { get; }

    public ManualTime Time { get; } = new();

    public Node Node { get; }

    public NodeEvents Events { get; } = new();

    public CommandDispatcher Dispatcher { get; }

    public static async Task<TestNode> StartAsync(
        string configuration = TwoResources, DeviceSetup? devices = null)
    {
        var node = new TestNode(configuration, devices);
        await node._server.StartAsync(CancellationToken.None);
        return node;
    }

    public async Task StopServerAsync() => await _server.StopAsync(CancellationToken.None);

    /// <summary>Runs a command line as a shell would; standard output, standard error and exit code.</summary>
    public Task<(int Exit, string Output, string Errors)> RunAsync(params string[] arguments) =>
        RunAsync(null, arguments);

    /// <param name="input">A terminal's input, or null for none.</param>
    public async Task<(int Exit, string Output, string Errors)> RunAsync(TextReader? input, string[] arguments)
    {
        var output = new StringWriter();
        var errors = new StringWriter();
        int exit = await Program.RunAsync(
            [.. arguments, "--config", Location.ConfigPath, "--node", "a", "--run-dir", Location.RunDirectory],
            new Terminal(output, errors, input));
        return (exit, output.ToString(), errors.ToString());
    }

    /// <summary>Runs drbdadm or drbdsetup, the native client, as a shell would.</summary>
    public async Task<(int Exit, string Output, string Errors)> ToolAsync(string program, params string[] arguments)
    {
        using Process process = StartTool(program, arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await errors);
    }

    public Process StartTool(string program, params string[] arguments) =>
        Start(Path.Combine(AppContext.BaseDirectory, program), arguments);

    /// <summary>Starts any program, for whose commands of ours this node is the one that is meant.</summary>
    public Process Start(string path, params string[] arguments)
    {
        var start = new ProcessStartInfo(path, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        start.Environment[NodeLocation.RunDirectoryVariable] = Location.RunDirectory;
        start.Environment[NodeLocation.ConfigVariable] = Location.ConfigPath;
        start.Environment[NodeLocation.NodeVariable] = Location.Node;
        return Process.Start(start)!;
    }

    public Task<ControlReply> AskAsync(string command, string target = "all") =>
        Dispatcher.ExecuteAsync(new ControlRequest { Command = command, Target = target }, CancellationToken.None);

    public Socket Connect()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(Location.ControlSocketPath));
        socket.ReceiveTimeout = 10_000;
        return socket;
    }

    /// <summary>Sends bytes and reads until the daemon closes or a line is complete.</summary>
    public static string ReceiveLine(Socket socket)
    {
        var text = new StringBuilder();
        byte[] buffer = new byte[1];
        while (socket.Receive(buffer) == 1 && buffer[0] != '\n')
        {
            text.Append((char)buffer[0]);
        }

        return text.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.StopAsync(CancellationToken.None);
        _server.Dispose();
        _directory.Delete(recursive: true);
    }
}
