using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using BlockRepl.Nodes;

namespace BlockRepl.Interop.Tests;

/// <summary>Which requests to a disk fail.</summary>
[Flags]
public enum DiskFault
{
    Read = 1,
    Write = 2,
    All = Read | Write,
}

/// <summary>
/// Commands to a running QEMU program: a virtual machine, or what serves our own disk that has to fail. An error is put
/// between a disk and its file, and taken away again, while the disk is in use.
/// </summary>
internal sealed class QemuControl : IDisposable
{
    private const int SaveSeconds = 120;
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly StreamReader _answers;
    private readonly HashSet<int> _failing = [];
    private readonly HashSet<int> _resized = [];
    private int _faults;
    private string? _end;

    public QemuControl(string socketPath)
    {
        _socket.Connect(new UnixDomainSocketEndPoint(socketPath));
        _answers = new StreamReader(new NetworkStream(_socket));
        Execute("""{ "execute": "qmp_capabilities" }""");
    }

    /// <summary>Options of a disk that can fail.</summary>
    public static string Disk(string path, int index) =>
        $"driver=raw,node-name=disk{index},discard=unmap,"
        + $"file.driver=file,file.node-name=file{index},file.filename={path},file.discard=unmap";

    /// <summary>From now on requests that touch a sector of 512 bytes fail.</summary>
    /// <param name="sectors">None: all requests of the kind.</param>
    public void Fail(int disk, DiskFault fault, params long[] sectors)
    {
        string[] places = sectors.Length == 0 ? [""] : [.. sectors.Select(s => $", \"sector\": {s}")];
        var kinds = new[] { DiskFault.Read, DiskFault.Write }.Where(k => fault.HasFlag(k))
            .Select(k => k == DiskFault.Read ? "read" : "write");
        string rules = string.Join(
            ", ",
            from kind in kinds
            from place in places
            select $$"""{ "event": "none", "iotype": "{{kind}}", "once": false, "errno": 5{{place}} }""");
        string node = $"fault{++_faults}";
        Execute(
            $$"""
            { "execute": "blockdev-add", "arguments": {
                "driver": "blkdebug", "node-name": "{{node}}", "image": "file{{disk}}", "discard": "unmap",
                "inject-error": [ {{rules}} ] } }
            """);
        PutBelow(disk, node);
        _failing.Add(disk);
    }

    /// <summary>The disk is good again.</summary>
    public void Mend(int disk)
    {
        PutBelow(disk, $"file{disk}");
        _failing.Remove(disk);
    }

    /// <summary>Every disk is good, and of the size that it had when it was switched on.</summary>
    /// <param name="sizes">By the number of the disk.</param>
    public void Restore(Func<int, long> sizes)
    {
        foreach (int disk in _failing.ToArray())
        {
            Mend(disk);
        }

        foreach (int disk in _resized)
        {
            Resize(disk, sizes(disk));
        }
    }

    /// <summary>Another size, noticed by who uses it.</summary>
    public void Resize(int disk, long bytes)
    {
        _resized.Add(disk);
        Execute(
            $$"""
            { "execute": "block_resize", "arguments": { "node-name": "disk{{disk}}", "size": {{bytes}} } }
            """);
    }

    /// <summary>
    /// Saves a running guest, so that others can go on from the state it has now. It stands still at the end and then
    /// goes on; one that was stopped before would wait when it is loaded.
    /// </summary>
    public void Save(string path)
    {
        string part = path + ".part";
        string migrate = JsonSerializer.Serialize(new { uri = $"exec:cat >'{part}'" });
        Execute($$"""{ "execute": "migrate", "arguments": {{migrate}} }""");
        Poll.Until(() => MigrationStatus() == "completed", "the guest to be saved", SaveSeconds, MigrationStatus);
        File.Move(part, path);
        Execute("""{ "execute": "cont" }""");
    }

    /// <summary>From now on its requests take as good as for ever: a byte in a second.</summary>
    /// <param name="drive">The id of what is behind the device that the guest sees.</param>
    public void Hang(string drive) => Execute(
        $$"""
        { "execute": "block_set_io_throttle", "arguments": { "device": "{{drive}}",
            "bps": 1, "bps_rd": 0, "bps_wr": 0, "iops": 0, "iops_rd": 0, "iops_wr": 0 } }
        """);

    /// <summary>Waits for the machine's end: "guest-reset", "guest-shutdown" and others.</summary>
    public string WaitForEnd()
    {
        while (_end is null)
        {
            using JsonDocument line = Read("the end of the machine");
        }

        return _end;
    }

    public void Quit() => Execute("""{ "execute": "quit" }""");

    public void Dispose()
    {
        _answers.Dispose();
        _socket.Dispose();
    }

    private void PutBelow(int disk, string node) =>
        Execute(
            $$"""
            { "execute": "blockdev-reopen", "arguments": { "options": [ {
                "driver": "raw", "node-name": "disk{{disk}}", "file": "{{node}}", "discard": "unmap" } ] } }
            """);

    private string MigrationStatus() =>
        Execute("""{ "execute": "query-migrate" }""").TryGetProperty("status", out JsonElement status)
            ? status.GetString()!
            : "";

    private JsonElement Execute(string command)
    {
        _socket.Send(Encoding.UTF8.GetBytes(command.ReplaceLineEndings(" ") + "\n"));
        while (true)
        {
            using JsonDocument answer = Read(command);
            if (answer.RootElement.TryGetProperty("return", out JsonElement value))
            {
                return value.Clone();
            }

            if (answer.RootElement.TryGetProperty("error", out JsonElement error))
            {
                throw new IOException($"QEMU refuses {command}: {error}");
            }
        }
    }

    /// <summary>Events come between the answers.</summary>
    private JsonDocument Read(string during)
    {
        JsonDocument line = JsonDocument.Parse(
            _answers.ReadLine() ?? throw new IOException("QEMU is gone during: " + during));
        if (line.RootElement.TryGetProperty("event", out JsonElement name) && name.GetString() == "SHUTDOWN")
        {
            _end = line.RootElement.GetProperty("data").GetProperty("reason").GetString();
        }

        return line;
    }
}
