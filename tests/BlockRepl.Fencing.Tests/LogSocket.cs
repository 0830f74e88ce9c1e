using System.Net.Sockets;
using System.Text;
using BlockRepl.Nodes;

namespace BlockRepl.Fencing.Tests;

/// <summary>Stands for /dev/log in a namespace where that is a link to it.</summary>
internal sealed class LogSocket : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly StringBuilder _text = new();
    private readonly Thread _reader;

    public LogSocket()
    {
        _socket.Bind(new UnixDomainSocketEndPoint(Path));
        // Whoever logs drops its privileges first.
        File.SetUnixFileMode(Path, (UnixFileMode)0b110_110_110);
        _reader = new Thread(Read) { IsBackground = true };
        _reader.Start();
    }

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"sbd-log-{Guid.NewGuid():N}");

    /// <summary>All that was logged so far.</summary>
    public string Text
    {
        get
        {
            lock (_text)
            {
                return _text.ToString();
            }
        }
    }

    public void WaitFor(string words, int seconds = 60) =>
        Poll.Until(() => Text.Contains(words, StringComparison.Ordinal), words, seconds, () => Text);

    public void Dispose()
    {
        // An empty line ends the reader.
        using (var last = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified))
        {
            last.SendTo([], new UnixDomainSocketEndPoint(Path));
        }

        _reader.Join();
        _socket.Dispose();
        File.Delete(Path);
    }

    /// <summary>At once: the cluster's programs stand still while nobody takes what they log.</summary>
    private void Read()
    {
        var line = new byte[65536];
        while (_socket.Receive(line) is > 0 and var length)
        {
            lock (_text)
            {
                _text.Append(Encoding.UTF8.GetString(line, 0, length)).Append('\n');
            }
        }
    }
}
