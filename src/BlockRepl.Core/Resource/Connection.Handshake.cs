using System.Buffers.Binary;
using BlockRepl.Core.Handshake;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>From two fresh streams to the exchange of parameters: features, authentication, P_PROTOCOL.</summary>
internal sealed partial class Connection
{
    private readonly byte[] _challenge = new byte[Authentication.ChallengeBytes];
    private long _handshakeDeadlineNs = long.MaxValue;
    private bool _responseSent;

    /// <summary>
    /// What a node with data-integrity-alg announces: kernels misread P_ZEROES then, so it does without.
    /// </summary>
    private FeatureFlags OwnFeatures => Net.IntegrityAlgorithm == DigestAlgorithm.None
        ? FeatureFlags.All
        : FeatureFlags.All & ~FeatureFlags.WriteZeroes;

    private long HandshakeStepNs => 4 * Net.PingTimeoutDeciseconds * DecisecondNs;

    private void StartConnecting()
    {
        ChangeAll(ConnectionState.WFConnection);
        _phase = Phase.Connecting;
        _resumeAtNs = long.MaxValue;
        AgreedVersion = CommandCatalogue.MaxVersion;
        _loop = new ConnectLoop(Net);
        _loop.Start(_core.NowNs, this);
    }

    private void CheckConnected()
    {
        if (_phase != Phase.Connecting || !_loop.Done)
        {
            return;
        }

        _data = _loop.DataStream;
        _meta = _loop.MetaStream;
        ResolveConflicts = _loop.ResolveConflicts;
        Generation++;
        _framing = Framing.Initial;
        PeerDryRun = false;
        _phase = Phase.Features;
        _handshakeDeadlineNs = _core.NowNs + HandshakeStepNs;
        Send(null, Command.ConnectionFeatures, new FeaturesPacket(Net.MinVersion, OwnFeatures, Net.MaxVersion));
    }

    private void OnHandshakePacket(in ReceivedPacket packet)
    {
        switch (_phase)
        {
            case Phase.Features when packet.Header.Command == Command.ConnectionFeatures:
                OnFeatures(FeaturesPacket.Decode(packet.Body, _framing));
                break;
            case Phase.Features:
                Disconnect(
                    $"the peer begins with {packet.Header.Command} instead of its features: it is no DRBD 8.4 peer");
                break;
            case Phase.AuthChallenge when packet.Header.Command == Command.AuthChallenge:
                OnChallenge(packet.Body);
                break;
            case Phase.AuthChallenge:
                Disconnect("this node has cram-hmac-alg, the peer does not authenticate: configure both nodes alike");
                break;
            case Phase.AuthResponse when packet.Header.Command == Command.AuthResponse:
                OnAuthResponse(packet.Body);
                break;
            default:
                Break(ConnectionState.ProtocolError, $"unexpected {packet.Header.Command} during authentication");
                break;
        }
    }

    private void OnFeatures(in FeaturesPacket peer)
    {
        int peerMax = peer.MaxVersion == 0 ? peer.MinVersion : peer.MaxVersion;
        if (peerMax < Net.MinVersion || peer.MinVersion > Net.MaxVersion)
        {
            Disconnect(
                $"no common protocol version: {Net.MinVersion}-{Net.MaxVersion} here, "
                + $"{peer.MinVersion}-{peerMax} on the peer");
            return;
        }

        AgreedVersion = Math.Min(Net.MaxVersion, peerMax);
        Features = OwnFeatures & peer.Flags;
        _framing = new Framing(AgreedVersion, Features, DigestAlgorithm.None);
        _host.SetFraming(_data, _framing);
        _host.SetFraming(_meta, _framing);
        MaxRequestBytes =
            AgreedVersion >= 100 ? CoreLimits.MaxPayloadBytes : AgreedVersion >= 95 ? 128 << 10 : 32 << 10;
        MaxZeroBytes = (Features & FeatureFlags.WriteSame) != 0 ? CoreLimits.MaxZeroBytes : 4 << 20;
        foreach (Volume volume in _core.Volumes)
        {
            _host.DeviceChanged(volume.Number);
        }

        _host.Log(
            CoreLogLevel.Information, -1, $"agreed on protocol version {AgreedVersion}, features {(uint)Features:x2}");
        if (Net.AuthAlgorithm == DigestAlgorithm.None)
        {
            BeginParameters();
            return;
        }

        for (int i = 0; i < _challenge.Length; i += sizeof(ulong))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_challenge.AsSpan(i), _host.NextRandom());
        }

        _phase = Phase.AuthChallenge;
        _responseSent = false;
        _handshakeDeadlineNs = _core.NowNs + HandshakeStepNs;
        SendRaw(Command.AuthChallenge, _challenge);
    }

    private void OnChallenge(ReadOnlySpan<byte> challenge)
    {
        if (Authentication.IsReflected(_challenge, challenge))
        {
            Disconnect("the peer sent back this node's own challenge: authentication refused");
            return;
        }

        Span<byte> response = stackalloc byte[DigestAlgorithms.MaxSize];
        response = response[..Net.AuthAlgorithm.Size()];
        Authentication.Respond(Net.AuthAlgorithm, Net.SharedSecret, challenge, response);
        SendRaw(Command.AuthResponse, response);
        _responseSent = true;
        _phase = Phase.AuthResponse;
        _handshakeDeadlineNs = _core.NowNs + HandshakeStepNs;
    }

    private void OnAuthResponse(ReadOnlySpan<byte> response)
    {
        if (response.Length != Net.AuthAlgorithm.Size() || !_responseSent)
        {
            Break(ConnectionState.ProtocolError, "the peer's authentication response has a wrong length");
        }
        else if (!Authentication.Verify(Net.AuthAlgorithm, Net.SharedSecret, _challenge, response))
        {
            Disconnect("authentication of the peer failed: compare shared-secret and cram-hmac-alg on both nodes");
        }
        else
        {
            BeginParameters();
        }
    }

    /// <summary>Everything this node has to say, in one go: the peer does the same and reads only then.</summary>
    private void BeginParameters()
    {
        _phase = Phase.Operational;
        TimesOperational++;
        _handshakeDeadlineNs = long.MaxValue;
        StateSent = true;
        BeginSendEpochs();
        foreach (Volume volume in _core.Volumes)
        {
            volume.BeginConnection();
        }

        Run("parameters", SendParameters());
    }

    /// <summary>
    /// A generation that was to begin when I/O goes on begins now: what is frozen may be missing on the peer.
    /// </summary>
    private IEnumerable<Func<bool>> SendParameters()
    {
        uint generation = Generation;
        foreach (Volume volume in _core.Volumes)
        {
            foreach (Func<bool> wait in volume.RotateIfWanted())
            {
                yield return wait;
            }
        }

        if (!IsCurrent(generation))
        {
            yield break;
        }

        SendProtocol(Command.Protocol);
        foreach (Volume volume in _core.Volumes)
        {
            volume.SendParameters();
        }

        ChangeAll(ConnectionState.WFReportParams);
        BeginLiveness();
    }

    private void SendProtocol(Command command)
    {
        ConnectionFlags flags =
            (DiscardMyData ? ConnectionFlags.DiscardMyData : 0) | (Tentative ? ConnectionFlags.DryRun : 0);
        Send(null, command, new ProtocolPacket(
            Net.Protocol, Net.AfterSplitBrain0Primaries, Net.AfterSplitBrain1Primary, Net.AfterSplitBrain2Primaries,
            flags,
            Net.AllowTwoPrimaries, Net.IntegrityAlgorithm.LinuxName()));
    }

    private void OnProtocol(in ReceivedPacket packet, bool update)
    {
        if (ProtocolPacket.TryDecode(packet.Body, _framing, out ProtocolPacket peer) != ProtocolViolation.None)
        {
            Break(ConnectionState.ProtocolError, "P_PROTOCOL with a malformed algorithm name");
            return;
        }

        if (!update)
        {
            PeerProtocol values = new(
                (int)peer.Protocol, (int)peer.After0, (int)peer.After1, (int)peer.After2,
                (peer.Flags & ConnectionFlags.DiscardMyData) != 0, peer.AllowTwoPrimaries, peer.IntegrityAlgorithm);
            string? mismatch = ProtocolCheck.Compare(Net, DiscardMyData, AgreedVersion, values);
            if (mismatch is not null)
            {
                Disconnect(mismatch);
                return;
            }

            PeerDryRun = AgreedVersion >= 92 && (peer.Flags & ConnectionFlags.DryRun) != 0;
        }
        else if (!peer.IsInRange)
        {
            Break(ConnectionState.ProtocolError, "P_PROTOCOL_UPDATE with values that do not exist");
            return;
        }
        else
        {
            AdoptProtocol(peer);
        }

        if (!DigestAlgorithms.TryParse(peer.IntegrityAlgorithm, out DigestAlgorithm algorithm))
        {
            Disconnect($"data-integrity-alg {peer.IntegrityAlgorithm} of the peer is not available here");
            return;
        }

        _framing = _framing with { PeerDigest = algorithm };
        _host.SetFraming(_data, _framing);
    }

    /// <summary>The peer's administrator changed network options online; ours follow, but not what we send.</summary>
    private void AdoptProtocol(in ProtocolPacket peer) => _core.ReplaceNetOptions(Net with
    {
        Protocol = peer.Protocol,
        AfterSplitBrain0Primaries = ProtocolCheck.MirrorPolicy((int)peer.After0),
        AfterSplitBrain1Primary = ProtocolCheck.MirrorPolicy((int)peer.After1),
        AfterSplitBrain2Primaries = ProtocolCheck.MirrorPolicy((int)peer.After2),
        AllowTwoPrimaries = peer.AllowTwoPrimaries,
    });

    private void OnSyncParam(Volume? volume, in ReceivedPacket packet)
    {
        if (SyncParamPacket.TryDecode(packet.Body, _framing, out SyncParamPacket peer) != ProtocolViolation.None)
        {
            Break(ConnectionState.ProtocolError, "P_SYNC_PARAM with malformed content");
            return;
        }

        if (volume is null)
        {
            return;
        }

        bool handshake = volume.State.Connection == ConnectionState.WFReportParams;
        if (!TakeAlgorithm(
                "verify-alg", peer.VerifyAlgorithm, VerifyAlgorithm, AgreedVersion >= 88, handshake,
                out DigestAlgorithm verify)
            || !TakeAlgorithm(
                "csums-alg", peer.ChecksumAlgorithm, ChecksumAlgorithm, AgreedVersion >= 89, handshake,
                out DigestAlgorithm sums))
        {
            return;
        }

        VerifyAlgorithm = verify;
        ChecksumAlgorithm = sums;
        volume.OnSyncParam(peer);
    }

    private bool TakeAlgorithm(
        string option, string name, DigestAlgorithm own, bool sent, bool handshake, out DigestAlgorithm taken)
    {
        taken = own;
        if (!sent || name == own.LinuxName())
        {
            return true;
        }

        if (handshake)
        {
            Disconnect(
                $"{option} does not fit: '{own.LinuxName()}' here, '{name}' on the peer; configure both nodes alike");
            return false;
        }

        if (!DigestAlgorithms.TryParse(name, out taken))
        {
            Disconnect($"{option} {name} of the peer is not available here");
            return false;
        }

        return true;
    }

    /// <summary>A volume has left WFReportParams.</summary>
    public void OnVolumeConnected()
    {
        foreach (Volume volume in _core.Volumes)
        {
            if (volume.State.Connection < ConnectionState.Connected)
            {
                return;
            }
        }

        StateSent = false;
        DiscardMyData = false;
        _core.WakeBlocked();
    }
}
