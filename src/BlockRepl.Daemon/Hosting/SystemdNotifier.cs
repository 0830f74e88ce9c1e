using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon.Hosting;

/// <summary>
/// Tells systemd how the daemon is (sd_notify): datagrams to the socket that NOTIFY_SOCKET names. Without it, nothing.
/// </summary>
internal sealed class SystemdNotifier(ILogger<SystemdNotifier> logger)
{
    private readonly string? _path = Environment.GetEnvironmentVariable("NOTIFY_SOCKET");

    public void Ready(string status) => Send($"READY=1\nSTATUS={status}");

    public void Status(string status) => Send($"STATUS={status}");

    /// <summary>Another process is the service now.</summary>
    public void MainProcess(int id) => Send($"MAINPID={id}\nSTATUS=Process {id} takes over");

    public void Stopping() => Send("STOPPING=1\nSTATUS=Taking the resources down");

    private void Send(string message)
    {
        if (string.IsNullOrEmpty(_path))
        {
            return;
        }

        try
        {
            // A path that begins with @ is a name in the abstract namespace, written with a zero byte there.
            string address = _path[0] == '@' ? "\0" + _path[1..] : _path;
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.SendTo(Encoding.UTF8.GetBytes(message), new UnixDomainSocketEndPoint(address));
        }
        catch (Exception error) when (error is SocketException or ArgumentException)
        {
            Log.NotifyFailed(logger, message.Replace('\n', ' '), error.Message);
        }
    }
}
