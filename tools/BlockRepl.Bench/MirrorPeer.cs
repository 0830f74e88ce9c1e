using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using BlockRepl.Nodes;
using BlockRepl.Nodes.Measuring;

namespace BlockRepl.Bench;

/// <summary>
/// Another replicator in user space, for comparison: qemu-storage-daemon with a mirror job that copies each write to a
/// second daemon's NBD export over TCP before it answers (copy-mode write-blocking). It computes no digest and keeps no
/// activity log.
/// </summary>
internal sealed class MirrorPeer : IDevice, IDisposable
{
    private readonly string _folder;
    private readonly List<Process> _processes = [];

    private readonly long _diskBytes;

    public MirrorPeer(string folder, long diskBytes)
    {
        _folder = folder;
        _diskBytes = diskBytes;
        StartBoth();
    }

    public string Name => "mirror through NBD";

    private string NbdSocket => Path.Combine(_folder, "mirror-nbd.sock");

    private string QmpSocket => Path.Combine(_folder, "mirror-qmp.sock");

    public static bool IsInstalled => Tool.Find("qemu-storage-daemon") is not null;

    public Figure Measure(Workload workload, double seconds) => Fio.Measure(
        workload, seconds, _diskBytes, "--ioengine=nbd", $"--uri=nbd+unix:///source?socket={NbdSocket}");

    public void Dispose()
    {
        foreach (Process process in _processes)
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        }

        File.Delete(Path.Combine(_folder, "mirror-source"));
        File.Delete(Path.Combine(_folder, "mirror-target"));
    }

    private void StartBoth()
    {
        string source = Path.Combine(_folder, "mirror-source");
        string target = Path.Combine(_folder, "mirror-target");
        DiskFile.Fill(source, _diskBytes);
        DiskFile.Fill(target, _diskBytes);
        int port = FreePort();
        Start(
            "--blockdev", $"driver=file,node-name=target,filename={target},cache.direct=on,aio=io_uring",
            "--nbd-server", $"addr.type=inet,addr.host=127.0.0.1,addr.port={port}",
            "--export", "type=nbd,id=e,node-name=target,name=target,writable=on");
        Poll.Until(() => CanConnect(new IPEndPoint(IPAddress.Loopback, port)), "the mirror's target");
        Start(
            "--blockdev", $"driver=file,node-name=source,filename={source},cache.direct=on,aio=io_uring",
            "--blockdev",
            $"driver=nbd,node-name=remote,server.type=inet,server.host=127.0.0.1,server.port={port},export=target",
            "--nbd-server", "addr.type=unix,addr.path=" + NbdSocket,
            "--export", "type=nbd,id=e,node-name=source,name=source,writable=on",
            "--chardev", $"socket,id=qmp,path={QmpSocket},server=on,wait=off",
            "--monitor", "chardev=qmp");
        Poll.Until(() => CanConnect(new UnixDomainSocketEndPoint(NbdSocket)), "the mirror's source");
        StartMirror();
    }

    /// <summary>
    /// Starts the job; both files are equal, so there is nothing to copy first, and waits until it is in its steady
    /// state.
    /// </summary>
    private void StartMirror()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.ReceiveTimeout = 60_000;
        socket.Connect(new UnixDomainSocketEndPoint(QmpSocket));
        using var stream = new NetworkStream(socket);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        using var writer = new StreamWriter(stream, new UTF8Encoding(false)) { AutoFlush = true };
        ReadUntil(reader, "QMP");
        writer.WriteLine("{\"execute\":\"qmp_capabilities\"}");
        ReadUntil(reader, "return");
        writer.WriteLine(
            "{\"execute\":\"blockdev-mirror\",\"arguments\":{\"job-id\":\"mirror\","
            + "\"device\":\"source\",\"target\":\"remote\",\"sync\":\"none\",\"copy-mode\":\"write-blocking\"}}");
        ReadUntil(reader, "BLOCK_JOB_READY");
    }

    private static void ReadUntil(StreamReader reader, string word)
    {
        string? line;
        do
        {
            line = reader.ReadLine() ?? throw new InvalidOperationException("qemu-storage-daemon closed its monitor");
            if (line.Contains("\"error\"", StringComparison.Ordinal))
            {
                throw new InvalidOperationException("qemu-storage-daemon: " + line);
            }
        }
        while (!line.Contains(word, StringComparison.Ordinal));
    }

    private void Start(params string[] arguments)
    {
        Process process = Tool.Start(Tool.Find("qemu-storage-daemon")!, arguments);
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        _processes.Add(process);
    }

    private static bool CanConnect(EndPoint address)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(address);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
