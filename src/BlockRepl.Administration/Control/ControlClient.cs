using System.Net.Sockets;
using System.Text.Json;

namespace BlockRepl.Administration.Control;

/// <summary>There is nobody at the control socket, or no understandable answer.</summary>
public sealed class ControlException(string message, bool isAbsent) : Exception(message)
{
    /// <summary>No daemon runs there.</summary>
    public bool IsAbsent => isAbsent;
}

/// <summary>Asks the daemon, one request and one reply for each connection.</summary>
public static class ControlClient
{
    /// <exception cref="ControlException">No daemon, or it ended before it answered.</exception>
    public static async Task<ControlReply> AskAsync(
        NodeLocation location, ControlRequest request, CancellationToken cancellation)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await ConnectAsync(socket, location, cancellation);
        byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(request, ControlJson.Default.ControlRequest), (byte)'\n'];
        try
        {
            for (int sent = 0; sent < line.Length;)
            {
                sent += await socket.SendAsync(line.AsMemory(sent), cancellation);
            }

            byte[] reply = await ReceiveLineAsync(socket, cancellation);
            return JsonSerializer.Deserialize(reply, ControlJson.Default.ControlReply)
                ?? throw new JsonException("the reply is null");
        }
        catch (SocketException error)
        {
            throw new ControlException($"The daemon ended before it answered: {error.Message}.", isAbsent: false);
        }
        catch (JsonException error)
        {
            throw new ControlException(
                $"The daemon's answer cannot be understood ({error.Message}); are both of the same version?",
                isAbsent: false);
        }
    }

    private static async Task ConnectAsync(Socket socket, NodeLocation location, CancellationToken cancellation)
    {
        string path = location.ControlSocketPath;
        if (path.Length > NodeLocation.LongestSocketPath)
        {
            throw new ControlException(
                $"The path {path} is longer than {NodeLocation.LongestSocketPath} characters, which no socket can "
                + "have; choose a shorter --run-dir.",
                isAbsent: false);
        }

        try
        {
            // Blocking on purpose: a Unix socket's asynchronous connect fails at once where the queue is full; this one
            // waits.
            await Task.Run(() => socket.Connect(new UnixDomainSocketEndPoint(path)), CancellationToken.None)
                .WaitAsync(cancellation);
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.AccessDenied)
        {
            throw new ControlException(
                $"No permission for {path}; run this command as the daemon's user (root).", isAbsent: false);
        }
        catch (SocketException error)
        {
            string found = File.Exists(path)
                ? $"nobody answers at {path} ({error.Message})"
                : $"there is no socket {path}";
            throw new ControlException(
                $"The daemon is not running: {found}. Start its service, or in a terminal: "
                + $"blockrepld --config {location.ConfigPath} --node {location.Node} --run-dir {location.RunDirectory}",
                isAbsent: true);
        }
    }

    private static async Task<byte[]> ReceiveLineAsync(Socket socket, CancellationToken cancellation)
    {
        byte[] buffer = new byte[64 << 10];
        int used = 0;
        while (true)
        {
            int received = await socket.ReceiveAsync(buffer.AsMemory(used), cancellation);
            if (received == 0)
            {
                throw new ControlException("The daemon ended before it answered; its log says why.", isAbsent: false);
            }

            int end = buffer.AsSpan(used, received).IndexOf((byte)'\n');
            if (end >= 0)
            {
                return buffer[..(used + end)];
            }

            used += received;
            if (used == buffer.Length)
            {
                if (used >= ControlLimits.ReplyBytes)
                {
                    throw new ControlException(
                        "The daemon's answer is longer than any answer may be.", isAbsent: false);
                }

                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }
    }
}
