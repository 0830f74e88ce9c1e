namespace BlockRepl.Core.Protocol;

/// <summary>A packet's header in any of its three forms.</summary>
/// <param name="Command">What follows.</param>
/// <param name="Volume">The volume it concerns; 0 where the form has no volume.</param>
/// <param name="Length">Bytes that follow the header.</param>
public readonly record struct PacketHeader(Command Command, ushort Volume, int Length);

/// <summary>Packet codes of DRBD 8.4 (protocol 86 to 101).</summary>
public enum Command : ushort
{
    Data = 0x00,
    DataReply = 0x01,
    RsDataReply = 0x02,
    Barrier = 0x03,
    Bitmap = 0x04,
    UnplugRemote = 0x07,
    DataRequest = 0x08,
    RsDataRequest = 0x09,
    SyncParam = 0x0a,
    Protocol = 0x0b,
    Uuids = 0x0c,
    Sizes = 0x0d,
    State = 0x0e,
    SyncUuid = 0x0f,
    AuthChallenge = 0x10,
    AuthResponse = 0x11,
    StateChangeRequest = 0x12,
    Ping = 0x13,
    PingAck = 0x14,
    RecvAck = 0x15,
    WriteAck = 0x16,
    RsWriteAck = 0x17,
    Superseded = 0x18,
    NegAck = 0x19,
    NegDReply = 0x1a,
    NegRsDReply = 0x1b,
    BarrierAck = 0x1c,
    StateChangeReply = 0x1d,
    OvRequest = 0x1e,
    OvReply = 0x1f,
    OvResult = 0x20,
    CsumRsRequest = 0x21,
    RsIsInSync = 0x22,
    SyncParam89 = 0x23,
    CompressedBitmap = 0x24,
    DelayProbe = 0x27,
    OutOfSync = 0x28,
    RsCancel = 0x29,
    ConnStateChangeRequest = 0x2a,
    ConnStateChangeReply = 0x2b,
    RetryWrite = 0x2c,
    ProtocolUpdate = 0x2d,
    Trim = 0x31,
    RsThinRequest = 0x32,
    RsDeallocated = 0x33,
    WriteSame = 0x34,
    Zeroes = 0x36,
    InitialMeta = 0xfff1,
    InitialData = 0xfff2,
    ConnectionFeatures = 0xfffe,
}
