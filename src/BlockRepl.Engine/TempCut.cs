// Stands in until the packet reader of BlockRepl.Core.Protocol is there.
using System.Buffers;
using BlockRepl.Core.Protocol;
namespace BlockRepl.Engine;
internal enum PacketCutStatus { NeedMore, Packet, Violation }
internal readonly record struct PacketCut(PacketHeader Header, int HeaderBytes, int BodyBytes, int DigestBytes, int PayloadBytes);
internal static class PacketReader
{
    public static PacketCutStatus TryCut(in ReadOnlySequence<byte> bytes, in Framing framing, out PacketCut cut, out ProtocolViolation violation) => throw new NotImplementedException();
}
