using System.Buffers;
using System.Runtime.InteropServices;
using BlockRepl.Core;
using BlockRepl.Core.Protocol;
using BlockRepl.Platform.Net;

namespace BlockRepl.Engine;

/// <summary>
/// One stream to the peer: cuts what it receives into packets and delivers them to the core in order. Payloads go into
/// aligned buffers. Packets with a payload wait in a short queue until the end of the turn (or until a packet without
/// one follows), so that the digests of several are verified together.
/// </summary>
internal sealed class ResourceStream : IStreamHandler
{
    /// <summary>Payload packets that wait for their digests at one time; 64 KiB of 4 KiB writes are 16.</summary>
    private const int QueueCapacity = 64;

    /// <summary>Room for a queued packet's body: P_DATA has 24 bytes, P_WSAME and P_TRIM 28.</summary>
    private const int BodyCapacity = 64;

    private readonly ResourceDriver _driver;
    private readonly Entry[] _queue = new Entry[QueueCapacity];

    /// <summary>Pinned: computed digests are written here by address.</summary>
    private readonly byte[] _computed = GC.AllocateArray<byte>(QueueCapacity * DigestAlgorithms.MaxSize, pinned: true);
    private readonly byte[] _expected = new byte[QueueCapacity * DigestAlgorithms.MaxSize];
    private readonly byte[] _bodies = new byte[QueueCapacity * BodyCapacity];
    private readonly PacketReader _reader = new();
    private int _queueHead;
    private int _queueCount;
    private StreamSocket? _socket;

    /// <summary>The reader holds a packet that could not be delivered or queued yet.</summary>
    private bool _hasPacket;

    /// <summary>The payload of the newest queue entry is still being received.</summary>
    private bool _payloadPending;

    /// <summary>When the first whole payload was found waiting at the end of a turn; 0 = none waits.</summary>
    private long _gatherFirstNs;

    /// <summary>Bytes of payload that have come since the last verification.</summary>
    private long _hashBytes;

    /// <summary>
    /// The turn in which another look at the sockets was asked for since the last payload began; 0 = none.
    /// </summary>
    private long _lookedInTurn;
    private bool _violated;
    private bool _ended;

    public ResourceStream(ResourceDriver driver, StreamId id)
    {
        _driver = driver;
        Id = id;
    }

    public StreamId Id { get; }

    public StreamSocket Socket
    {
        get => _socket!;
        set => _socket = value;
    }

    /// <summary>
    /// Packets lie in the pipe or the queue that could not be delivered: the core did not want them, or no buffer was
    /// free.
    /// </summary>
    public bool IsBlocked { get; private set; }

    /// <summary>The core has closed the stream, or was told of its end: it hears nothing of it any more.</summary>
    public bool IsEnded => _ended;

    private struct Entry
    {
        public PacketHeader Header;
        public int BodyBytes;
        public BufferHandle Payload;
        public int PayloadBytes;
        public int DigestBytes;
    }

    /// <summary>
    /// Until when received payloads may wait for more to verify together; long.MaxValue if none waits.
    /// </summary>
    public long GatherDeadlineNs { get; private set; } = long.MaxValue;

    /// <summary>Packets that wait for their digests to be computed together.</summary>
    public HeldSends Held { get; } = new();

    public void SetFraming(in Framing framing) => _reader.Framing = framing;

    /// <summary>The core closes the stream.</summary>
    public void Close(long lingerNs)
    {
        _ended = true;
        _socket!.Close(lingerNs);
        DropQueue();
    }

    /// <summary>Verifies and delivers what is queued; at the end of a turn. True: something was delivered.</summary>
    public bool Flush()
    {
        if (ShouldGather())
        {
            return false;
        }

        var delivered = Deliver();
        if (!_ended && (IsBlocked || delivered))
        {
            IsBlocked = false;
            Pump();
        }

        return delivered;
    }

    public void OnConnected(StreamSocket stream) => _driver.OnStreamOpened(this);

    public void OnReceived(StreamSocket stream) => Pump();

    public void OnPayloadReceived(StreamSocket stream, ulong token)
    {
        _payloadPending = false;
        if (_ended)
        {
            DropQueue();
            return;
        }

        StartDigest();
        Pump();
    }

    public void OnSent(StreamSocket stream, ulong token, bool aborted) => _driver.OnSent(new SendToken(token), aborted);

    public void OnClosed(StreamSocket stream, StreamCloseReason reason, int errno)
    {
        if (_payloadPending)
        {
            _payloadPending = false;
            DropNewest();
        }

        do
        {
            Pump();
        }
        while (!_ended && Deliver());

        if (!_ended)
        {
            _ended = true;
            _driver.OnStreamClosed(this, reason);
        }

        DropQueue();
    }

    public void OnReleased(StreamSocket stream)
    {
        // Only now does the kernel write no more into the buffer of a receive that Close cut off.
        _payloadPending = false;
        DropQueue();
        _driver.OnStreamReleased(this);
    }

    /// <summary>Cuts as many packets from the pipe as there are and as the core wants.</summary>
    private void Pump()
    {
        while (!_ended && !_violated && !_payloadPending)
        {
            if (!_hasPacket && !ReadPacket())
            {
                return;
            }

            if (_reader.PayloadLength == 0 ? !TakePlain() : !TakeWithPayload())
            {
                IsBlocked |= _hasPacket;
                return;
            }
        }
    }

    /// <summary>
    /// Takes the next packet's head from the pipe into the reader. False: none is there, or none is wanted.
    /// </summary>
    private bool ReadPacket()
    {
        if (_queueCount == QueueCapacity || (_queueCount == 0 && !_driver.Core.WantsPacket(Id)))
        {
            IsBlocked = true;
            return false;
        }

        if (!_socket!.Input.TryRead(out var result))
        {
            return false;
        }

        var bytes = result.Buffer;
        var status = _reader.Read(ref bytes);
        _socket.Input.AdvanceTo(bytes.Start);
        if (status == ReadStatus.Violation)
        {
            _violated = true;
            Deliver();
            if (!_ended)
            {
                _driver.OnViolation(Id, _reader.Violation);
            }
        }

        _hasPacket = status == ReadStatus.Packet;
        return _hasPacket;
    }

    /// <summary>Delivers a packet without payload after what is queued. False: the core does not want it yet.</summary>
    private bool TakePlain()
    {
        if (_queueCount > 0)
        {
            Deliver();
            if (_ended || _queueCount > 0 || !_driver.Core.WantsPacket(Id))
            {
                return false;
            }
        }

        _hasPacket = false;
        _driver.OnPacket(Id, new ReceivedPacket(_reader.Header, _reader.Body, BufferHandle.None, 0, true));
        return true;
    }

    /// <summary>
    /// Queues a packet with payload and receives the payload. False: no buffer is free, or more bytes must come.
    /// </summary>
    private bool TakeWithPayload()
    {
        var bytes = _reader.PayloadLength;
        if (!_driver.Accounts.TryRent(BufferOwner.Peer, bytes, out var payload))
        {
            return false;
        }

        Enqueue(payload, bytes);
        var input = _socket!.Input;
        if (input.TryRead(out var result))
        {
            // A small payload that came together with its head is copied here, so that many packets are cut in one
            // turn.
            if (result.Buffer.Length >= bytes)
            {
                var part = result.Buffer.Slice(0, bytes);
                part.CopyTo(_driver.Accounts.Pool.GetSpan(payload, bytes));
                input.AdvanceTo(part.End);
                StartDigest();
                return true;
            }

            input.AdvanceTo(result.Buffer.Start);
        }

        if (_socket.IsClosed)
        {
            DropNewest(); // the rest of it will never come
            return false;
        }

        _payloadPending = true;
        _lookedInTurn = 0;
        _socket.ReceiveInto(payload, 0, bytes, token: 0);
        return false;
    }

    private void Enqueue(BufferHandle payload, int payloadBytes)
    {
        Invariant.Require(_reader.Body.Length <= BodyCapacity, "the body of a packet with payload is small");
        var place = (_queueHead + _queueCount++) % QueueCapacity;
        _queue[place] = new Entry
        {
            Header = _reader.Header,
            BodyBytes = _reader.Body.Length,
            Payload = payload,
            PayloadBytes = payloadBytes,
            DigestBytes = _reader.Digest.Length,
        };
        _reader.Body.CopyTo(_bodies.AsSpan(place * BodyCapacity));
        _reader.Digest.CopyTo(_expected.AsSpan(place * DigestAlgorithms.MaxSize));
        _hasPacket = false;
    }

    /// <summary>The newest entry's payload is whole: its digest joins the batch.</summary>
    private void StartDigest()
    {
        var place = (_queueHead + _queueCount - 1) % QueueCapacity;
        ref var entry = ref _queue[place];
        _hashBytes += entry.PayloadBytes;
        if (entry.DigestBytes > 0)
        {
            var output = Marshal.UnsafeAddrOfPinnedArrayElement(_computed, place * DigestAlgorithms.MaxSize);
            var data = _driver.Accounts.Pool.GetAddress(entry.Payload);
            _driver.ReceiveDigests.Add(_reader.Framing.PeerDigest, data, entry.PayloadBytes, output);
        }
    }

    /// <summary>Delivers the queued packets whose payload is whole, as far as the core wants them.</summary>
    private bool Deliver()
    {
        var ready = _queueCount - (_payloadPending ? 1 : 0);
        if (ready <= 0)
        {
            return false;
        }

        GatherDeadlineNs = long.MaxValue;
        _gatherFirstNs = 0;
        _hashBytes = 0;
        _lookedInTurn = 0;
        _driver.ReceiveDigests.Run();
        var delivered = false;
        for (; ready > 0 && !_ended; ready--)
        {
            if (!_driver.Core.WantsPacket(Id))
            {
                IsBlocked = true;
                break;
            }

            var place = _queueHead;
            ref var entry = ref _queue[place];
            var matches = _computed.AsSpan(place * DigestAlgorithms.MaxSize, entry.DigestBytes)
                .SequenceEqual(_expected.AsSpan(place * DigestAlgorithms.MaxSize, entry.DigestBytes));
            var body = _bodies.AsSpan(place * BodyCapacity, entry.BodyBytes);
            var packet = new ReceivedPacket(entry.Header, body, entry.Payload, entry.PayloadBytes, matches);
            _queueHead = (_queueHead + 1) % QueueCapacity;
            _queueCount--;
            delivered = true;
            _driver.OnPacket(Id, packet);
        }

        return delivered;
    }

    /// <summary>
    /// Whether to wait with what is whole, because the next payload is on its way: several digests together cost little
    /// more than one. A lone write never waits, since nothing follows it.
    /// </summary>
    private bool ShouldGather()
    {
        var ready = _queueCount - (_payloadPending ? 1 : 0);
        if (ready <= 0 || DigestQueue.IsEnough(ready, _hashBytes) || IsBlocked || _queue[_queueHead].DigestBytes == 0)
        {
            GatherDeadlineNs = long.MaxValue;
            _gatherFirstNs = 0;
            return false;
        }

        var nowNs = _driver.Loop.NowNs;
        if (_gatherFirstNs == 0)
        {
            _gatherFirstNs = nowNs;
        }

        GatherDeadlineNs = _gatherFirstNs + DigestQueue.GatherNs(ready, _hashBytes);
        return nowNs < GatherDeadlineNs && (_payloadPending || LooksAgain());
    }

    /// <summary>Once per payload: a turn without sleeping, see <see cref="DigestQueue.LookBytes"/>.</summary>
    private bool LooksAgain()
    {
        if (_lookedInTurn == 0 && _hashBytes >= DigestQueue.LookBytes)
        {
            _lookedInTurn = _driver.TurnNumber;
            _driver.LookAgain();
        }

        return _lookedInTurn == _driver.TurnNumber;
    }

    private void DropNewest()
    {
        _queueCount--;
        _driver.Accounts.Return(_queue[(_queueHead + _queueCount) % QueueCapacity].Payload);
    }

    /// <summary>
    /// Gives back the buffers of what will not be delivered, but for one that the kernel may still write into.
    /// </summary>
    private void DropQueue()
    {
        var keep = _payloadPending ? 1 : 0;
        if (_queueCount > keep)
        {
            _driver.ReceiveDigests.Run(); // it holds addresses of this stream
        }

        while (_queueCount > keep)
        {
            _driver.Accounts.Return(_queue[_queueHead].Payload);
            _queueHead = (_queueHead + 1) % QueueCapacity;
            _queueCount--;
        }
    }
}
