using BlockRepl.Core.Handshake;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>
/// The connection of the resource with its peer: two streams, from the first connect to the last packet. Split by phase
/// and direction: Handshake, Receive, Send, SendEpochs (transfer log), ReceiveEpochs, Liveness.
/// </summary>
internal sealed partial class Connection : IConnectHost
{
    private const long SecondNs = 1_000_000_000;
    private const long DecisecondNs = 100_000_000;

    private enum Phase
    {
        /// <summary>StandAlone: nothing is tried.</summary>
        Down,

        /// <summary>The last connection is being cleaned up, or it is too early for the next try.</summary>
        Pausing,

        /// <summary>The connect loop runs.</summary>
        Connecting,
        Features,
        AuthChallenge,
        AuthResponse,

        /// <summary>From the first P_PROTOCOL on.</summary>
        Operational,
    }

    private readonly ResourceCore _core;
    private readonly ICoreHost _host;
    private ConnectLoop _loop;
    private Phase _phase;
    private StreamId _data;
    private StreamId _meta;
    private Framing _framing = Framing.Initial;
    private long _resumeAtNs = long.MaxValue;
    private bool _tearingDown;
    private bool _standAloneWanted;

    public Connection(ResourceCore core, ICoreHost host)
    {
        _core = core;
        _host = host;
        _loop = new ConnectLoop(core.Options.Net);
    }

    private NetOptions Net => _core.Options.Net;

    /// <summary>Counts connections; what belongs to an older one is void.</summary>
    public uint Generation { get; private set; } = 1;

    /// <summary>How often the nodes have begun to tell each other their states.</summary>
    public uint TimesOperational { get; private set; }

    /// <summary>Of this connection, or of the last one.</summary>
    public int AgreedVersion { get; private set; } = CommandCatalogue.MaxVersion;

    public FeatureFlags Features { get; private set; }

    public bool ResolveConflicts { get; private set; }

    /// <summary>From before the first P_SIZES until every volume has left WFReportParams.</summary>
    public bool StateSent { get; private set; }

    /// <summary>This node connects only to see what would happen.</summary>
    public bool Tentative { get; private set; }

    public bool PeerDryRun { get; private set; }

    public bool DiscardMyData { get; private set; }

    public DigestAlgorithm VerifyAlgorithm { get; private set; }

    public DigestAlgorithm ChecksumAlgorithm { get; private set; }

    public bool IsConfigured => _phase != Phase.Down;

    /// <summary>Application data may be exchanged.</summary>
    public bool IsOperational => _phase == Phase.Operational;

    public bool CanSendData => _phase == Phase.Operational;

    public bool HasVerifyStop => AgreedVersion is >= 97 and not 100;

    public bool IsCurrent(uint generation) => generation == Generation && _phase == Phase.Operational;

    /// <summary>Largest read or write that the version last agreed on can carry in one packet.</summary>
    public int MaxRequestBytes { get; private set; } = CoreLimits.MaxPayloadBytes;

    public int MaxZeroBytes { get; private set; } = CoreLimits.MaxZeroBytes;

    /// <summary>The digest that this node puts in front of payloads; the oldest version has none.</summary>
    public DigestAlgorithm SendDigest => AgreedVersion >= 87 ? Net.IntegrityAlgorithm : DigestAlgorithm.None;

    public int MaxResyncBlocks => AgreedVersion >= 100 ? 256 : AgreedVersion >= 95 ? 32 : 8;

    /// <summary>The connect command.</summary>
    public void Connect(bool discardMyData, bool tentative)
    {
        Invariant.Require(_phase == Phase.Down, "a connection is configured once");
        VerifyAlgorithm = Net.VerifyAlgorithm;
        ChecksumAlgorithm = Net.ChecksumAlgorithm;
        DiscardMyData = discardMyData;
        Tentative = tentative;
        foreach (Volume volume in _core.Volumes)
        {
            volume.DiscardMyData = discardMyData;
            volume.Counters.SentSectors = volume.Counters.ReceivedSectors = 0;
        }

        _standAloneWanted = false;
        ChangeAll(ConnectionState.Unconnected);
        Pause(0);
    }

    /// <summary>A hard change of every volume's connection state.</summary>
    private void ChangeAll(ConnectionState state)
    {
        foreach (Volume volume in _core.Volumes)
        {
            volume.Change(StateRequest.Conn(state), hard: true);
        }
    }

    /// <summary>Ends the connection for a reason that time may heal; the first reason counts.</summary>
    public void Break(ConnectionState cause, string why)
    {
        if (_phase is Phase.Down or Phase.Pausing)
        {
            return;
        }

        _host.Log(CoreLogLevel.Warning, -1, $"connection ends: {why}");
        if (_phase < Phase.Operational)
        {
            CloseStreams(sendFirst: false);
            Pause(SecondNs);
            ChangeAll(ConnectionState.Unconnected);
            return;
        }

        TearDown(cause, standAlone: false, sendFirst: cause == ConnectionState.TearDown);
    }

    /// <summary>Ends the connection for good: an operator must connect again.</summary>
    public void Disconnect(string why)
    {
        if (_phase == Phase.Down)
        {
            return;
        }

        _host.Log(CoreLogLevel.Error, -1, $"disconnected: {why}");
        TearDown(ConnectionState.Disconnecting, standAlone: true, sendFirst: false);
    }

    /// <summary>The operator's disconnect: the peer agreed, or is not asked.</summary>
    public void DisconnectByOperator()
    {
        if (_phase != Phase.Down)
        {
            TearDown(ConnectionState.Disconnecting, standAlone: true, sendFirst: true);
        }
    }

    public bool HasLoggedWrites(Volume volume)
    {
        for (Request? request = _logHead; request is not null; request = request.NextInLog)
        {
            if (request.Volume == volume)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Both streams die together, then everything that hung on them, then it is tried again or not.</summary>
    private void TearDown(ConnectionState cause, bool standAlone, bool sendFirst)
    {
        _standAloneWanted |= standAlone;
        if (_tearingDown)
        {
            return;
        }

        _tearingDown = true;
        bool wasOperational = _phase == Phase.Operational;
        CloseStreams(sendFirst);
        _phase = Phase.Pausing;
        _resumeAtNs = long.MaxValue;
        Generation++;
        StateSent = false;
        ChangeAll(cause);
        ClearTransferLog();
        ResetReceiveEpochs();
        _stateReply = null;
        foreach (Volume volume in _core.Volumes)
        {
            volume.ForgetPeer();
            volume.OnConnectionLostReads();
        }

        _core.WakeBlocked();
        _core.Worker.Add("end of connection", AfterTearDown(wasOperational));
    }

    private IEnumerable<Func<bool>> AfterTearDown(bool wasOperational)
    {
        // What the peer sent before is finished first: the next handshake must not meet old writes.
        // So is a packet that was being worked on: its script holds on to what it writes until it is written.
        yield return () => _receiver is null && !_core.HasPeerRequests;
        foreach (Volume volume in _core.Volumes)
        {
            foreach (Func<bool> wait in volume.AfterConnectionEnd())
            {
                yield return wait;
            }
        }

        if (wasOperational)
        {
            _core.FenceIfPrimary();
        }

        _tearingDown = false;
        if (_standAloneWanted)
        {
            ChangeAll(ConnectionState.Disconnecting);
            ChangeAll(ConnectionState.StandAlone);
            _phase = Phase.Down;
            _resumeAtNs = long.MaxValue;
        }
        else
        {
            ChangeAll(ConnectionState.Unconnected);
            Pause(wasOperational ? 0 : SecondNs);
        }
    }

    private void Pause(long ns)
    {
        _phase = Phase.Pausing;
        _resumeAtNs = _core.NowNs + ns;
    }

    private void CloseStreams(bool sendFirst)
    {
        _loop.Stop(this);
        foreach (StreamId stream in (ReadOnlySpan<StreamId>)[_data, _meta])
        {
            if (!stream.IsNone)
            {
                _host.CloseStream(stream, sendFirst);
            }
        }

        _data = _meta = StreamId.None;
        _framing = Framing.Initial;
    }

    public StreamId OpenStream() => _host.OpenStream();

    public void Listen(bool on) => _host.Listen(on);

    public void CloseStream(StreamId stream) => _host.CloseStream(stream, sendFirst: false);

    public ulong NextRandom() => _host.NextRandom();

    public void SendInitial(StreamId stream, bool data)
    {
        int length = PacketWriter.WriteEmpty(
            _scratch, Framing.Initial, 0, data ? Command.InitialData : Command.InitialMeta);
        _host.Send(stream, _scratch.AsSpan(0, length));
    }
}
