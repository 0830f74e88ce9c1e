using System.Buffers.Binary;

namespace BlockRepl.Core.Protocol;

/// <summary>Where a received bitmap is merged into.</summary>
public interface IBitmapSink
{
    /// <summary>
    /// ORs whole 64-bit words; the bytes of each word in little-endian order, no bit beyond the bitmap's end.
    /// </summary>
    void MergeWords(ulong firstWord, ReadOnlySpan<byte> littleEndianBytes);

    /// <summary>Sets the bits from the first to the last, both included.</summary>
    void SetBits(ulong firstBit, ulong lastBit);
}

/// <summary>
/// Takes the P_BITMAP and P_COMPRESSED_BITMAP packets of one transfer, in any mixture, and merges them into the sink.
/// After a violation what came before it has been merged, which only ever adds blocks to be compared or copied.
/// </summary>
public sealed class BitmapReceiver
{
    private readonly ulong _bitCount;
    private readonly ulong _wordCount;
    private readonly int _maxWords;
    private ulong _bit;
    private ulong _word;

    public BitmapReceiver(ulong bitCount, in Framing framing)
    {
        _bitCount = bitCount;
        _wordCount = (bitCount + 63) / 64;
        _maxWords = (CommandCatalogue.MaxPacketBytes - HeaderCodec.Size(framing.AgreedVersion)) / 8;
    }

    /// <summary>Whether the transfer has ended.</summary>
    public bool Complete { get; private set; }

    /// <summary>Takes the next packet.</summary>
    /// <returns>
    /// None; BadLength for words that are not exactly as many as must follow; BadBitmapEncoding, BadBitmapCode;
    /// BitmapOverflow for runs beyond the end or packets after it; UnknownCommand for any other command.
    /// </returns>
    public ProtocolViolation Receive(Command command, ReadOnlySpan<byte> body, IBitmapSink sink)
    {
        if (command is not (Command.Bitmap or Command.CompressedBitmap))
        {
            return ProtocolViolation.UnknownCommand;
        }

        if (Complete)
        {
            return ProtocolViolation.BitmapOverflow;
        }

        return command == Command.Bitmap ? ReceiveWords(body, sink) : ReceiveRuns(body, sink);
    }

    private ProtocolViolation ReceiveWords(ReadOnlySpan<byte> body, IBitmapSink sink)
    {
        int count = (int)Math.Min((ulong)_maxWords, _wordCount - _word);
        if (body.Length != count * 8)
        {
            return ProtocolViolation.BadLength;
        }

        if (count == 0)
        {
            Complete = true;
            return ProtocolViolation.None;
        }

        bool hasSurplus = _word + (ulong)count == _wordCount && _bitCount % 64 != 0;
        int whole = hasSurplus ? count - 1 : count;
        if (whole > 0)
        {
            sink.MergeWords(_word, body[..(whole * 8)]);
        }

        if (hasSurplus)
        {
            Span<byte> last = stackalloc byte[8];
            ulong valid = (1UL << (int)(_bitCount % 64)) - 1;
            BinaryPrimitives.WriteUInt64LittleEndian(
                last, BinaryPrimitives.ReadUInt64LittleEndian(body[(whole * 8)..]) & valid);
            sink.MergeWords(_word + (ulong)whole, last);
        }

        _word += (ulong)count;
        _bit = Math.Min(_word * 64, _bitCount);
        return ProtocolViolation.None;
    }

    private ProtocolViolation ReceiveRuns(ReadOnlySpan<byte> body, IBitmapSink sink)
    {
        if (body.Length < 2)
        {
            return ProtocolViolation.BadLength;
        }

        byte encoding = body[0];
        if ((encoding & 0x0f) != RunLengthCode.CodeType)
        {
            return ProtocolViolation.BadBitmapEncoding;
        }

        bool value = (encoding & 0x80) != 0;
        RunLengthReader reader = new(body[1..], (encoding >> 4) & 7);
        while (!reader.AtEnd)
        {
            if (!reader.TryTake(out ulong run))
            {
                return ProtocolViolation.BadBitmapCode;
            }

            if (run > _bitCount - _bit)
            {
                return ProtocolViolation.BitmapOverflow;
            }

            if (value)
            {
                sink.SetBits(_bit, _bit + run - 1);
            }

            _bit += run;
            value = !value;
        }

        _word = _bit / 64;
        Complete = _bit == _bitCount;
        return ProtocolViolation.None;
    }
}
