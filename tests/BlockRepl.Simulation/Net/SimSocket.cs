namespace BlockRepl.Simulation.Net;

/// <summary>Why a socket tells its owner that it is over.</summary>
public enum SocketEnd
{
    Finished,
    Reset,
}

/// <summary>What the owner of a socket (a simulated host) is told.</summary>
public interface ISocketOwner
{
    void OnBytes(SimSocket socket);

    /// <summary>There is room for more bytes again.</summary>
    void OnWritable(SimSocket socket);

    void OnEnd(SimSocket socket, SocketEnd end);

    void OnConnected(SimSocket socket);

    void OnConnectFailed(SimSocket socket);

    void OnAccepted(SimSocket socket);
}

/// <summary>
/// One end of a TCP connection. Bytes that <see cref="Write"/> took are TCP's: they arrive in order, cut anywhere, or
/// never.
/// </summary>
public sealed class SimSocket
{
    private readonly SimNetwork _network;
    private readonly ByteQueue _outgoing = new();
    private readonly ByteQueue _incoming = new();
    private long _availableAtNs;
    private bool _scheduled;
    private bool _finish;
    private bool _reset;
    private bool _blockedWriter;

    internal SimSocket(SimNetwork network, int id, int node, ISocketOwner owner)
    {
        _network = network;
        Id = id;
        Node = node;
        Owner = owner;
    }

    public int Id { get; }

    public int Node { get; }

    public ISocketOwner Owner { get; }

    public SimSocket? Peer { get; internal set; }

    /// <summary>The owner closed it, or it ended.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>The host lost its power: it forgot the socket and sends nothing.</summary>
    public bool IsForgotten { get; private set; }

    /// <summary>
    /// The direction from here to the peer breaks when so many more bytes have been delivered; negative = never.
    /// </summary>
    public long CutAfterBytes { get; set; } = -1;

    /// <summary>Received and not yet taken.</summary>
    public ReadOnlySpan<byte> Input => _incoming.Span;

    public ReadOnlyMemory<byte> InputMemory => _incoming.Memory;

    /// <summary>Set by the owner while it takes nothing: TCP's window closes.</summary>
    public bool ReceivePaused { get; set; }

    /// <summary>Bytes handed to TCP so far.</summary>
    public long WrittenBytes { get; private set; }

    /// <summary>Bytes that TCP has and the peer's host has not.</summary>
    public int UnderWay => _outgoing.Count;

    public void TakeInput(int count)
    {
        _incoming.Take(count);
        Peer?.Schedule(0);
    }

    /// <summary>Hands bytes to TCP; returns how many it took.</summary>
    public int Write(ReadOnlySpan<byte> data)
    {
        if (IsClosed || IsForgotten)
        {
            return 0;
        }

        int room = Math.Max(0, _network.Settings.SendBufferBytes - _outgoing.Count);
        int count = Math.Min(room, data.Length);
        _blockedWriter = count < data.Length;
        if (count > 0)
        {
            if (_outgoing.Count == 0)
            {
                _availableAtNs = _network.Queue.NowNs + _network.Latency();
            }

            _outgoing.Append(data[..count]);
            WrittenBytes += count;
            Schedule(0);
        }

        return count;
    }

    /// <summary>Closes: what TCP has is still sent, then FIN. Unread input makes it a reset.</summary>
    public void Close()
    {
        if (IsClosed)
        {
            return;
        }

        if (_incoming.Count > 0)
        {
            Abort();
            return;
        }

        IsClosed = true;
        _finish = true;
        _availableAtNs = Math.Max(_availableAtNs, _network.Queue.NowNs + _network.Latency());
        Schedule(0);
    }

    /// <summary>Closes with a reset: what is under way is lost.</summary>
    public void Abort()
    {
        IsClosed = true;
        _reset = true;
        _outgoing.Clear();
        _incoming.Clear();
        _availableAtNs = _network.Queue.NowNs + _network.Latency();
        Schedule(0);
    }

    /// <summary>Power failure of the own host.</summary>
    internal void Forget()
    {
        IsForgotten = true;
        IsClosed = true;
        _incoming.Clear();
        _outgoing.Clear();
    }

    /// <summary>The connection is cut in the middle: both ends find out by a reset.</summary>
    internal void Cut()
    {
        CutAfterBytes = -1;
        _outgoing.Clear();
        EndNow(SocketEnd.Reset);
        Peer?.EndNow(SocketEnd.Reset);
    }

    internal void Schedule(long delayNs)
    {
        if (_scheduled || Peer is null || (_outgoing.Count == 0 && !_finish && !_reset))
        {
            return;
        }

        if (!_network.IsLinkUp(Node))
        {
            return;
        }

        _scheduled = true;
        long at = Math.Max(_network.Queue.NowNs + delayNs, _availableAtNs);
        _network.Queue.At(at, Deliver);
    }

    private void Deliver()
    {
        _scheduled = false;
        SimSocket peer = Peer!;
        if (!_network.IsLinkUp(Node))
        {
            return;
        }

        if (peer.IsForgotten)
        {
            AnswerFromTheDead(peer);
            return;
        }

        if (_reset)
        {
            _reset = false;
            peer.EndNow(SocketEnd.Reset);
            return;
        }

        if (_outgoing.Count == 0)
        {
            if (_finish)
            {
                _finish = false;
                peer.EndNow(SocketEnd.Finished);
            }

            return;
        }

        if (peer.IsClosed)
        {
            // Data for a closed socket are answered by a reset.
            _outgoing.Clear();
            EndNow(SocketEnd.Reset);
            return;
        }

        if (peer.ReceivePaused && peer._incoming.Count >= _network.Settings.ReceiveWindowBytes)
        {
            return;
        }

        DeliverChunk(peer);
    }

    private void DeliverChunk(SimSocket peer)
    {
        int chunk = Math.Min(_network.ChunkBytes(), _outgoing.Count);
        if (CutAfterBytes >= 0)
        {
            chunk = (int)Math.Min(chunk, CutAfterBytes);
            CutAfterBytes -= chunk;
        }

        if (chunk > 0)
        {
            peer._incoming.Append(_outgoing.Span[..chunk]);
            _outgoing.Take(chunk);
            peer.Owner.OnBytes(peer);
        }

        if (CutAfterBytes == 0)
        {
            _network.CountFault("cut");
            Cut();
            return;
        }

        Schedule(_network.Gap(chunk));
        if (_blockedWriter && !IsClosed)
        {
            _blockedWriter = false;
            Owner.OnWritable(this);
        }
    }

    /// <summary>
    /// A host that lost its power stays silent while it is off; when it is back it resets what it does not know.
    /// </summary>
    private void AnswerFromTheDead(SimSocket peer)
    {
        if (_network.IsHostUp(peer.Node))
        {
            _outgoing.Clear();
            EndNow(SocketEnd.Reset);
        }
        else
        {
            _scheduled = true;
            _network.Queue.After(200 * Duration.Millisecond, Deliver);
        }
    }

    private void EndNow(SocketEnd end)
    {
        if (IsClosed)
        {
            return;
        }

        if (end == SocketEnd.Reset)
        {
            IsClosed = true;
            _outgoing.Clear();
        }

        Owner.OnEnd(this, end);
    }
}
