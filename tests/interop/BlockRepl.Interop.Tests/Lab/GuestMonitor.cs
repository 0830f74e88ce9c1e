using System.Net.Sockets;
using System.Text.Json;
using BlockRepl.Nodes;

namespace BlockRepl.Interop.Tests;

/// <summary>QEMU's monitor: saves a running guest, so that others can go on from the state it has now.</summary>
internal sealed class GuestMonitor : IDisposable
{
    private const int SaveSeconds = 120;
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly StreamReader _answers;

    public GuestMonitor(string path)
    {
        _socket.Connect(new UnixDomainSocketEndPoint(path));
        _answers = new StreamReader(new NetworkStream(_socket));
        Do("""{"execute": "qmp_capabilities"}""");
    }

    /// <summary>
    /// The guest stands still at the end and then goes on; one that was stopped before would wait when it is loaded.
    /// </summary>
    public void Save(string path)
    {
        string part = path + ".part";
        string migrate = JsonSerializer.Serialize(new { uri = $"exec:cat >'{part}'" });
        Do($$"""{"execute": "migrate", "arguments": {{migrate}}}""");
        Poll.Until(() => MigrationStatus() == "completed", "the guest to be saved", SaveSeconds, MigrationStatus);
        File.Move(part, path);
        Do("""{"execute": "cont"}""");
    }

    public void Dispose()
    {
        _answers.Dispose();
        _socket.Dispose();
    }

    private string MigrationStatus() =>
        Do("""{"execute": "query-migrate"}""").TryGetProperty("status", out JsonElement status)
            ? status.GetString()!
            : "";

    /// <summary>Events come between the answers.</summary>
    private JsonElement Do(string command)
    {
        _socket.Send(System.Text.Encoding.UTF8.GetBytes(command + "\n"));
        while (true)
        {
            string line = _answers.ReadLine() ?? throw new IOException("QEMU is gone during: " + command);
            using JsonDocument answer = JsonDocument.Parse(line);
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
}
