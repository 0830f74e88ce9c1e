using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace BlockRepl.Fencing.Logging;

/// <summary>The levels of syslog.</summary>
internal enum LogLevel
{
    Emergency = 0,
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

/// <summary>
/// Writes to the system's log, and for commands typed by hand also to standard error. Never waits: a log that does
/// not take a message loses it.
/// </summary>
internal sealed class SystemLog(int verbosity, TextWriter? console) : IDisposable
{
    private const string SocketPath = "/dev/log";
    private const int Facility = 3 << 3;

    private readonly Lock _lock = new();
    private readonly LogLevel _limit = (LogLevel)Math.Min((int)LogLevel.Notice + verbosity, (int)LogLevel.Debug);
    private Socket? _socket;

    public void Emergency(string text) => Write(LogLevel.Emergency, text);

    public void Error(string text) => Write(LogLevel.Error, text);

    public void Warning(string text) => Write(LogLevel.Warning, text);

    public void Notice(string text) => Write(LogLevel.Notice, text);

    public void Info(string text) => Write(LogLevel.Info, text);

    public void Debug(string text) => Write(LogLevel.Debug, text);

    public void Dispose() => _socket?.Dispose();

    private void Write(LogLevel level, string text)
    {
        if (level <= LogLevel.Warning)
        {
            console?.WriteLine(text);
        }

        if (level <= _limit)
        {
            lock (_lock)
            {
                Send(string.Create(
                    CultureInfo.InvariantCulture, $"<{Facility | (int)level}>sbd[{Environment.ProcessId}]: {text}"));
            }
        }
    }

    private void Send(string line)
    {
        try
        {
            if (_socket is null)
            {
                _socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified)
                {
                    Blocking = false,
                };
                _socket.Connect(new UnixDomainSocketEndPoint(SocketPath));
            }

            _socket.Send(Encoding.UTF8.GetBytes(line));
        }
        catch (SocketException)
        {
            _socket?.Dispose();
            _socket = null;
        }
    }
}
