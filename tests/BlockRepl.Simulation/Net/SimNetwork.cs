namespace BlockRepl.Simulation.Net;

/// <summary>How the network behaves when nothing is broken.</summary>
public sealed record NetworkSettings
{
    public long MinLatencyNs { get; init; } = 50 * Duration.Microsecond;

    public long MaxLatencyNs { get; init; } = 500 * Duration.Microsecond;

    /// <summary>Time that one byte takes, in thousandths of a nanosecond.</summary>
    public long PicosecondsPerByte { get; init; } = 8_000;

    public int SendBufferBytes { get; init; } = 256 << 10;

    public int ReceiveWindowBytes { get; init; } = 128 << 10;

    /// <summary>Largest piece in which bytes arrive.</summary>
    public int MaxChunkBytes { get; init; } = 64 << 10;

    /// <summary>So many pieces in a hundred are of 1 to 20 bytes.</summary>
    public int TinyChunkPercent { get; init; } = 5;
}

/// <summary>
/// Two hosts and the link between them, as TCP shows it: byte streams that keep their order. Either direction of the
/// link can fall silent; bytes then wait and arrive when it is back.
/// </summary>
public sealed class SimNetwork(EventQueue queue, Rng rng, NetworkSettings settings)
{
    private readonly bool[] _linkUp = [true, true];
    private readonly bool[] _hostUp = [false, false];
    private readonly ISocketOwner?[] _listener = new ISocketOwner?[2];
    private readonly List<SimSocket> _sockets = [];
    private readonly SortedDictionary<string, int> _faults = [];
    private int _nextId = 1;

    public EventQueue Queue { get; } = queue;

    public NetworkSettings Settings { get; } = settings;

    /// <summary>Faults that came true, by kind.</summary>
    public IReadOnlyDictionary<string, int> Faults => _faults;

    /// <summary>Connect attempts are refused with this probability, in percent.</summary>
    public int RefuseConnectPercent { get; set; }

    public bool IsLinkUp(int fromNode) => _linkUp[fromNode];

    public bool IsHostUp(int node) => _hostUp[node];

    /// <summary>Sockets that are still open, oldest first.</summary>
    public IEnumerable<SimSocket> OpenSockets => _sockets.Where(s => !s.IsClosed && s.Peer is not null);

    /// <summary>Both directions work and no bytes are under way.</summary>
    public bool IsQuiet => _linkUp[0] && _linkUp[1] && _sockets.TrueForAll(s => s.IsClosed || s.UnderWay == 0);

    public void SetLink(int fromNode, bool up)
    {
        if (_linkUp[fromNode] == up)
        {
            return;
        }

        _linkUp[fromNode] = up;
        if (!up)
        {
            CountFault("link-silent");
            return;
        }

        foreach (SimSocket socket in _sockets)
        {
            if (socket.Node == fromNode)
            {
                socket.Schedule(Latency());
            }
        }
    }

    public void SetLink(bool up)
    {
        SetLink(0, up);
        SetLink(1, up);
    }

    public void Listen(int node, ISocketOwner? owner) => _listener[node] = owner;

    /// <summary>A host's kernel is there (also without a process that listens).</summary>
    public void SetHostUp(int node, bool up)
    {
        _hostUp[node] = up;
        if (!up)
        {
            _listener[node] = null;
            foreach (SimSocket socket in _sockets)
            {
                if (socket.Node == node)
                {
                    socket.Forget();
                }
            }
        }

        Prune();
    }

    /// <summary>The process of a node was killed: its kernel closes the sockets.</summary>
    public void CloseAll(int node)
    {
        _listener[node] = null;
        foreach (SimSocket socket in _sockets.Where(s => s.Node == node && !s.IsClosed).ToList())
        {
            if (rng.Percent(50))
            {
                socket.Close();
            }
            else
            {
                socket.Abort();
            }
        }
    }

    public SimSocket Connect(int node, ISocketOwner owner, long timeoutNs)
    {
        SimSocket socket = NewSocket(node, owner);
        long startedNs = Queue.NowNs;
        Queue.After(Latency() + Latency(), () => TryConnect(socket, startedNs + timeoutNs));
        return socket;
    }

    public long Latency() => rng.Between(Settings.MinLatencyNs, Settings.MaxLatencyNs);

    public long Gap(int bytes) => bytes * Settings.PicosecondsPerByte / 1000 + 100;

    public int ChunkBytes() =>
        rng.Percent(Settings.TinyChunkPercent) ? 1 + rng.Below(20) : (int)rng.Between(1, Settings.MaxChunkBytes);

    public void CountFault(string kind) => _faults[kind] = _faults.GetValueOrDefault(kind) + 1;

    private SimSocket NewSocket(int node, ISocketOwner owner)
    {
        SimSocket socket = new(this, _nextId++, node, owner);
        _sockets.Add(socket);
        return socket;
    }

    private void TryConnect(SimSocket socket, long giveUpNs)
    {
        if (socket.IsClosed)
        {
            return;
        }

        int peer = 1 - socket.Node;
        if (!_linkUp[0] || !_linkUp[1] || !_hostUp[peer])
        {
            if (Queue.NowNs >= giveUpNs)
            {
                socket.Owner.OnConnectFailed(socket);
            }
            else
            {
                Queue.At(Math.Min(giveUpNs, Queue.NowNs + Duration.Second), () => TryConnect(socket, giveUpNs));
            }

            return;
        }

        ISocketOwner? listener = _listener[peer];
        if (listener is null || rng.Percent(RefuseConnectPercent))
        {
            socket.Owner.OnConnectFailed(socket);
            return;
        }

        SimSocket accepted = NewSocket(peer, listener);
        accepted.Peer = socket;
        socket.Peer = accepted;
        listener.OnAccepted(accepted);
        socket.Owner.OnConnected(socket);
    }

    private void Prune() => _sockets.RemoveAll(s => s.IsClosed && (s.Peer is null || s.Peer.IsClosed));
}
