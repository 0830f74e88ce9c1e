using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Mono.Unix.Native;

namespace BlockRepl.FrontEnd.Nbd;

/// <summary>Where the NBD server listens.</summary>
public sealed record NbdServerOptions
{
    /// <summary>Path of the Unix socket; null = none. A stale one is replaced.</summary>
    public string? UnixSocketPath { get; init; }

    /// <summary>
    /// TCP address; null = none. NBD has no authentication: whoever reaches it can read and write every volume.
    /// </summary>
    public IPEndPoint? TcpAddress { get; init; }

    /// <summary>A client that has not finished its negotiation after so long is cut off.</summary>
    public TimeSpan NegotiationTimeout { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>
/// Accepts NBD clients, negotiates, and hands each connection to the loop of the volume it asked for. Negotiations run
/// on short-lived threads of their own with blocking calls: they take milliseconds and a bounded number runs at one
/// time. They are kept off the framework's asynchronous sockets on purpose: a descriptor that these have seen stays
/// registered in their epoll set after it was handed on, and every request would wake a second thread for nothing.
/// </summary>
public sealed class NbdServer : IDisposable
{
    /// <summary>Negotiations at one time; further clients wait in the listen queue.</summary>
    private const int MaxNegotiations = 32;

    private const int ListenBacklog = 64;
    private const int ThreadStackBytes = 256 << 10;

    private readonly IVolumeDirectory _directory;
    private readonly ILogger _logger;
    private readonly NbdServerOptions _options;
    private readonly List<Socket> _listeners = [];
    private readonly SemaphoreSlim _negotiations = new(MaxNegotiations);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();

    /// <summary>Sessions in the transmission phase; guarded by <see cref="_lock"/>.</summary>
    private readonly HashSet<NbdSession> _sessions = [];

    private NbdServer(NbdServerOptions options, IVolumeDirectory directory, ILogger logger)
    {
        _options = options;
        _directory = directory;
        _logger = logger;
    }

    /// <summary>The TCP address in use, with the port that the kernel chose if it was 0; null without TCP.</summary>
    public IPEndPoint? TcpEndPoint { get; private set; }

    /// <summary>Binds and starts to accept.</summary>
    /// <exception cref="IOException">An address is in use or not ours; the message names it.</exception>
    public static NbdServer Start(NbdServerOptions options, IVolumeDirectory directory, ILogger logger)
    {
        var server = new NbdServer(options, directory, logger);
        try
        {
            if (options.UnixSocketPath is { } path)
            {
                var address = UnixAddress(path);
                RemoveStaleSocket(path, address);
                server.Listen(
                    new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified), address, path);
                _ = Syscall.chmod(path, FilePermissions.S_IRUSR | FilePermissions.S_IWUSR);
            }

            if (options.TcpAddress is { } tcp)
            {
                var socket = new Socket(tcp.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                server.Listen(socket, tcp, tcp.ToString());
                server.TcpEndPoint = (IPEndPoint)socket.LocalEndPoint!;
            }

            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Stops accepting and asks every session to end when what runs was answered. Does not wait for them.
    /// </summary>
    public void Dispose()
    {
        _stop.Cancel();
        foreach (var listener in _listeners)
        {
            listener.Dispose();
        }

        if (_options.UnixSocketPath is { } path && _listeners.Count > 0)
        {
            File.Delete(path);
        }

        NbdSession[] sessions;
        lock (_lock)
        {
            sessions = [.. _sessions];
        }

        foreach (var session in sessions)
        {
            session.Device.Loop.Post(session.Stop);
        }
    }

    private static UnixDomainSocketEndPoint UnixAddress(string path)
    {
        try
        {
            return new UnixDomainSocketEndPoint(path);
        }
        catch (ArgumentException e)
        {
            throw new IOException(
                $"{path}: too long for a Unix socket, which takes 107 bytes; use a shorter run directory", e);
        }
    }

    /// <summary>A socket that nobody listens on was left by a daemon that was killed. Anything else stays.</summary>
    private static void RemoveStaleSocket(string path, UnixDomainSocketEndPoint address)
    {
        if (Syscall.lstat(path, out var status) != 0)
        {
            return;
        }

        if ((status.st_mode & FilePermissions.S_IFMT) != FilePermissions.S_IFSOCK)
        {
            throw new IOException($"{path}: exists and is no socket; remove it or use another run directory");
        }

        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(address);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
            return;
        }

        throw new IOException($"{path}: another process serves NBD there; end it or use another run directory");
    }

    private void Listen(Socket socket, EndPoint address, string name)
    {
        _listeners.Add(socket);
        try
        {
            socket.Bind(address);
            socket.Listen(ListenBacklog);
        }
        catch (SocketException e)
        {
            throw new IOException($"{name}: cannot listen for NBD clients: {e.Message}", e);
        }

        Log.Listening(_logger, name);
        _ = AcceptAsync(socket, name);
    }

    private async Task AcceptAsync(Socket listener, string name)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await _negotiations.WaitAsync(_stop.Token).ConfigureAwait(false);
                Socket client;
                try
                {
                    client = await listener.AcceptAsync(_stop.Token).ConfigureAwait(false);
                }
                catch
                {
                    _negotiations.Release();
                    throw;
                }

                var thread = new Thread(() => Negotiate(client), ThreadStackBytes)
                {
                    IsBackground = true,
                    Name = "nbd-negotiate",
                };
                thread.Start();
            }
            catch (SocketException e) when (!_stop.IsCancellationRequested)
            {
                // Out of descriptors, or a client that went away while it waited: wait a little, or the loop would
                // spin.
                Log.AcceptFailed(_logger, name, e.Message);
                await Task.Delay(100).ConfigureAwait(false);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                return;
            }
        }
    }

    private void Negotiate(Socket client)
    {
        using var exports = new NegotiationExports(this);
        try
        {
            using (client)
            {
                var negotiation = new NbdNegotiation(exports);
                if (Converse(client, negotiation))
                {
                    HandOver(client, exports);
                }
                else
                {
                    Log.NegotiationEnded(_logger, negotiation.CloseReason);
                }
            }
        }
        catch (Exception e)
        {
            // Whatever a client does or the volume answers: it ends this negotiation and nothing else.
            Log.NegotiationEnded(_logger, e.Message);
        }
        finally
        {
            _negotiations.Release();
        }
    }

    /// <summary>Runs the handshake to its end. True: the client has an export.</summary>
    private bool Converse(Socket client, NbdNegotiation negotiation)
    {
        var deadline = Environment.TickCount64 + (long)_options.NegotiationTimeout.TotalMilliseconds;
        var buffer = new byte[NbdNegotiation.MaxOptionBytes];
        while (true)
        {
            SendAll(client, negotiation.Output.WrittenSpan, deadline);
            negotiation.Output.ResetWrittenCount();
            if (negotiation.State != NbdNegotiationState.Receiving)
            {
                return negotiation.State == NbdNegotiationState.Transmission;
            }

            var wanted = buffer.AsSpan(0, negotiation.BytesWanted);
            ReceiveAll(client, wanted, deadline);
            negotiation.Feed(wanted);
        }
    }

    private static void SendAll(Socket client, ReadOnlySpan<byte> bytes, long deadline)
    {
        while (!bytes.IsEmpty)
        {
            client.SendTimeout = MillisecondsLeft(deadline);
            bytes = bytes[client.Send(bytes)..];
        }
    }

    private static void ReceiveAll(Socket client, Span<byte> bytes, long deadline)
    {
        while (!bytes.IsEmpty)
        {
            client.ReceiveTimeout = MillisecondsLeft(deadline);
            var received = client.Receive(bytes);
            if (received == 0)
            {
                throw new IOException("the client closed the connection");
            }

            bytes = bytes[received..];
        }
    }

    private static int MillisecondsLeft(long deadline)
    {
        var left = deadline - Environment.TickCount64;
        return left > 0 ? (int)left : throw new TimeoutException("the client did not finish its negotiation in time");
    }

    /// <summary>
    /// Gives a duplicate of the descriptor to the session; the framework's socket object ends with its own.
    /// </summary>
    private void HandOver(Socket client, NegotiationExports exports)
    {
        client.SendTimeout = 0;
        client.ReceiveTimeout = 0;
        if (client.ProtocolType == ProtocolType.Tcp)
        {
            client.NoDelay = true;
        }

        var descriptor = Syscall.dup((int)client.SafeHandle.DangerousGetHandle());
        if (descriptor < 0)
        {
            throw new IOException("no file descriptor is left for another NBD client");
        }

        _ = Syscall.fcntl(descriptor, FcntlCommand.F_SETFD, 1); // FD_CLOEXEC: handlers must not inherit it
        var session = exports.TakeSession();
        lock (_lock)
        {
            _sessions.Add(session);
        }

        Log.Opened(_logger, session.Device.Name);
        if (!session.Device.Loop.Post(() => session.Begin(descriptor)))
        {
            _ = Syscall.close(descriptor);
            Forget(session);
        }
        else if (_stop.IsCancellationRequested)
        {
            session.Device.Loop.Post(session.Stop); // Dispose may have looked at the sessions before this one was there
        }
    }

    private void Forget(NbdSession session)
    {
        bool known;
        lock (_lock)
        {
            known = _sessions.Remove(session);
        }

        if (known)
        {
            Log.Ended(_logger, session.Device.Name);
        }
    }

    /// <summary>
    /// One negotiation's view of the volumes: every question is put to the volume's loop and waited for. Holds the
    /// session whose open was granted until the connection is handed over; gives the open back if that never happens.
    /// </summary>
    private sealed class NegotiationExports(NbdServer server) : INbdExports, IDisposable
    {
        private static readonly TimeSpan LoopTimeout = TimeSpan.FromSeconds(10);

        private readonly Lock _gate = new();
        private NbdSession? _session;
        private bool _gaveUp;

        public IReadOnlyList<string> ListNames() => server._directory.ListNames();

        public bool TryDescribe(string name, out VolumeFacts facts, out string refusal) =>
            Ask(name, static (device, _) => (device.TryDescribe(out var f, out var r), f, r), out facts, out refusal);

        public bool TryOpen(string name, out VolumeFacts facts, out string refusal)
        {
            ReleaseSession();
            return Ask(name, static (device, self) => self.OpenOnLoop(device), out facts, out refusal);
        }

        public NbdSession TakeSession()
        {
            var session = _session ?? throw new InvalidOperationException("no export was opened");
            _session = null;
            return session;
        }

        public void Dispose() => ReleaseSession();

        private (bool Granted, VolumeFacts Facts, string Refusal) OpenOnLoop(IVolumeDevice device)
        {
            var session = new NbdSession(device, server._logger, server.Forget);
            var granted = session.TryOpen(out var facts, out var refusal);
            lock (_gate)
            {
                if (granted && _gaveUp)
                {
                    session.Abandon(); // nobody waits for the answer any more
                    return (false, facts, refusal);
                }

                _session = granted ? session : null;
            }

            return (granted, facts, refusal);
        }

        private void ReleaseSession()
        {
            NbdSession? session;
            lock (_gate)
            {
                (session, _session) = (_session, null);
            }

            session?.Device.Loop.Post(session.Abandon);
        }

        private bool Ask(
            string name,
            Func<IVolumeDevice, NegotiationExports, (bool, VolumeFacts, string)> question,
            out VolumeFacts facts,
            out string refusal)
        {
            (facts, refusal) = (default, "");
            if (server._directory.Find(name) is not { } device)
            {
                return false;
            }

            var answer = new TaskCompletionSource<(bool, VolumeFacts, string)>(
                TaskCreationOptions.RunContinuationsAsynchronously);
            var posted = device.Loop.Post(() => answer.TrySetResult(question(device, this)));
            if (!posted || !answer.Task.Wait(LoopTimeout))
            {
                lock (_gate)
                {
                    _gaveUp = true;
                }

                ReleaseSession();
                refusal = $"{name}: the resource does not answer";
                return false;
            }

            (var granted, facts, refusal) = answer.Task.Result;
            return granted;
        }
    }
}
