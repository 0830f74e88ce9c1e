using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace BlockRepl.FrontEnd.Nbd;

/// <summary>
/// The exports a negotiation may offer. An open that is granted is held until the transmission phase ends.
/// </summary>
internal interface INbdExports
{
    IReadOnlyList<string> ListNames();

    /// <summary>Facts of an export, or false and why not, in words.</summary>
    bool TryDescribe(string name, out VolumeFacts facts, out string refusal);

    /// <summary>Opens an export for this connection.</summary>
    bool TryOpen(string name, out VolumeFacts facts, out string refusal);
}

/// <summary>What a negotiation wants next.</summary>
internal enum NbdNegotiationState
{
    /// <summary>Exactly <see cref="NbdNegotiation.BytesWanted"/> more bytes of the client.</summary>
    Receiving,

    /// <summary>Send what is left in the output; the connection is in the transmission phase.</summary>
    Transmission,

    /// <summary>Send what is left in the output and close.</summary>
    Closed,
}

/// <summary>
/// The server's side of NBD's fixed newstyle handshake as a state machine without I/O: it says how many bytes it wants,
/// is fed exactly those, and leaves its answers in <see cref="Output"/>. It never asks for bytes behind the handshake,
/// so that the connection can be handed to the transmission phase at a clean cut.
/// </summary>
internal sealed class NbdNegotiation
{
    /// <summary>
    /// Longest option data that is looked at: a name of 4096 bytes and a list of information requests.
    /// </summary>
    public const int MaxOptionBytes = 8 << 10;

    /// <summary>Longer option data ends the connection instead of being skipped.</summary>
    public const int MaxSkippedBytes = 1 << 20;

    /// <summary>Options one client may send; real clients need about five.</summary>
    public const int MaxOptions = 64;

    /// <summary>Export names listed at most: bounds the answer to one option.</summary>
    public const int MaxListedNames = 4096;

    private const int SkipChunkBytes = 4096;

    private readonly INbdExports _exports;
    private readonly ArrayBufferWriter<byte> _output = new(256);
    private Expectation _expectation = Expectation.ClientFlags;
    private bool _noZeroes;
    private bool _fixedNewstyle;
    private NbdOption _option;
    private int _skipLeft;
    private int _options;

    public NbdNegotiation(INbdExports exports)
    {
        _exports = exports;
        WriteUInt64(NbdProtocol.InitMagic);
        WriteUInt64(NbdProtocol.OptionMagic);
        WriteUInt16((ushort)(NbdHandshakeFlags.FixedNewstyle | NbdHandshakeFlags.NoZeroes));
        BytesWanted = NbdProtocol.ClientFlagsBytes;
    }

    private enum Expectation
    {
        ClientFlags,
        OptionHeader,
        OptionData,
        SkippedData,
    }

    public NbdNegotiationState State { get; private set; }

    /// <summary>How many bytes <see cref="Feed"/> wants next; 1 to 8192.</summary>
    public int BytesWanted { get; private set; }

    /// <summary>Bytes to send; the caller sends and then clears them after each step.</summary>
    public ArrayBufferWriter<byte> Output => _output;

    /// <summary>The granted export, in state Transmission.</summary>
    public string ExportName { get; private set; } = "";

    /// <summary>Why the connection was closed, for the log.</summary>
    public string CloseReason { get; private set; } = "";

    /// <summary>Takes exactly <see cref="BytesWanted"/> bytes.</summary>
    public void Feed(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, BytesWanted);
        switch (_expectation)
        {
            case Expectation.ClientFlags:
                TakeClientFlags((NbdHandshakeFlags)BinaryPrimitives.ReadUInt32BigEndian(bytes));
                break;
            case Expectation.OptionHeader:
                TakeOptionHeader(bytes);
                break;
            case Expectation.OptionData:
                TakeOption(bytes);
                break;
            default:
                _skipLeft -= bytes.Length;
                SkipOrRefuse();
                break;
        }
    }

    private void TakeClientFlags(NbdHandshakeFlags flags)
    {
        if ((flags & ~(NbdHandshakeFlags.FixedNewstyle | NbdHandshakeFlags.NoZeroes)) != 0)
        {
            Close("the client set handshake flags that this server did not offer");
            return;
        }

        _fixedNewstyle = (flags & NbdHandshakeFlags.FixedNewstyle) != 0;
        _noZeroes = (flags & NbdHandshakeFlags.NoZeroes) != 0;
        ExpectOption();
    }

    private void TakeOptionHeader(ReadOnlySpan<byte> bytes)
    {
        var length = BinaryPrimitives.ReadUInt32BigEndian(bytes[12..]);
        _option = (NbdOption)BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]);
        if (BinaryPrimitives.ReadUInt64BigEndian(bytes) != NbdProtocol.OptionMagic)
        {
            Close("an option without its magic");
        }
        else if (++_options > MaxOptions)
        {
            Close("too many options");
        }
        else if (length > MaxSkippedBytes)
        {
            Close("an option of more than 1 MiB");
        }
        else if (length > MaxOptionBytes)
        {
            _expectation = Expectation.SkippedData;
            _skipLeft = (int)length;
            SkipOrRefuse();
        }
        else if (length > 0)
        {
            _expectation = Expectation.OptionData;
            BytesWanted = (int)length;
        }
        else
        {
            TakeOption([]);
        }
    }

    private void SkipOrRefuse()
    {
        if (_skipLeft > 0)
        {
            BytesWanted = Math.Min(_skipLeft, SkipChunkBytes);
            return;
        }

        Refuse(NbdOptionReply.ErrorTooBig, "the option is longer than 8 KiB");
    }

    private void TakeOption(ReadOnlySpan<byte> data)
    {
        switch (_option)
        {
            case NbdOption.ExportName:
                TakeExportName(data);
                break;
            case NbdOption.Abort:
                Reply(NbdOptionReply.Ack, []);
                Close("the client ended the negotiation");
                break;
            case NbdOption.List:
                TakeList(data);
                break;
            case NbdOption.Info or NbdOption.Go:
                TakeInfoOrGo(data);
                break;
            case NbdOption.StartTls:
                Refuse(NbdOptionReply.ErrorPolicy, "this server does not speak TLS");
                break;
            default:
                Refuse(NbdOptionReply.ErrorUnsupported, "this server does not know the option");
                break;
        }
    }

    /// <summary>The oldest way in: the protocol leaves no answer but the export or the end of the connection.</summary>
    private void TakeExportName(ReadOnlySpan<byte> data)
    {
        if (!TryReadName(data, out var name))
        {
            Close("an export name that is no UTF-8 text of at most 4096 bytes");
        }
        else if (!_exports.TryOpen(name, out var facts, out var refusal))
        {
            Close(refusal.Length == 0 ? $"there is no export '{Shorten(name)}'" : refusal);
        }
        else
        {
            WriteUInt64((ulong)facts.SizeBytes);
            WriteUInt16((ushort)NbdTransmissionFlags.Export);
            if (!_noZeroes)
            {
                _output.Write(stackalloc byte[124]);
            }

            ExportName = name;
            State = NbdNegotiationState.Transmission;
        }
    }

    private void TakeList(ReadOnlySpan<byte> data)
    {
        if (!data.IsEmpty)
        {
            Refuse(NbdOptionReply.ErrorInvalid, "NBD_OPT_LIST takes no data");
            return;
        }

        var names = _exports.ListNames();
        for (var i = 0; i < Math.Min(names.Count, MaxListedNames); i++)
        {
            var name = Encoding.UTF8.GetBytes(names[i]);
            var entry = new byte[4 + name.Length];
            BinaryPrimitives.WriteUInt32BigEndian(entry, (uint)name.Length);
            name.CopyTo(entry, 4);
            Reply(NbdOptionReply.Server, entry);
        }

        Reply(NbdOptionReply.Ack, []);
        ExpectOption();
    }

    /// <summary>Data: name length (4), name, number of information requests (2), requests (2 each).</summary>
    private void TakeInfoOrGo(ReadOnlySpan<byte> data)
    {
        if (!TryParseInfo(data, out var name, out var wantName, out var wantDescription))
        {
            Refuse(
                NbdOptionReply.ErrorInvalid,
                "the lengths in the option do not fit together, or the name is no UTF-8 text");
            return;
        }

        var go = _option == NbdOption.Go;
        VolumeFacts facts;
        string refusal;
        if (go ? !_exports.TryOpen(name, out facts, out refusal) : !_exports.TryDescribe(name, out facts, out refusal))
        {
            Refuse(refusal.Length == 0 ? NbdOptionReply.ErrorUnknown : NbdOptionReply.ErrorPolicy,
                refusal.Length == 0 ? $"there is no export '{Shorten(name)}'; names are RESOURCE/VOLUME" : refusal);
            return;
        }

        ReplyExportInfo(facts);
        ReplyBlockSizes(facts);
        if (wantName)
        {
            ReplyText(NbdInfo.Name, name);
        }

        if (wantDescription)
        {
            ReplyText(NbdInfo.Description, "replicated volume " + name);
        }

        Reply(NbdOptionReply.Ack, []);
        if (go)
        {
            ExportName = name;
            State = NbdNegotiationState.Transmission;
        }
        else
        {
            ExpectOption();
        }
    }

    private static bool TryParseInfo(
        ReadOnlySpan<byte> data, out string name, out bool wantName, out bool wantDescription)
    {
        (name, wantName, wantDescription) = ("", false, false);
        if (data.Length < 6)
        {
            return false;
        }

        var nameLength = BinaryPrimitives.ReadUInt32BigEndian(data);
        if (nameLength > data.Length - 6 || !TryReadName(data.Slice(4, (int)nameLength), out name))
        {
            return false;
        }

        var requests = data[(4 + (int)nameLength)..];
        int count = BinaryPrimitives.ReadUInt16BigEndian(requests);
        requests = requests[2..];
        if (requests.Length != 2 * count)
        {
            return false;
        }

        for (; !requests.IsEmpty; requests = requests[2..])
        {
            var info = (NbdInfo)BinaryPrimitives.ReadUInt16BigEndian(requests);
            wantName |= info == NbdInfo.Name;
            wantDescription |= info == NbdInfo.Description;
        }

        return true;
    }

    private static bool TryReadName(ReadOnlySpan<byte> bytes, out string name)
    {
        name = "";
        if (bytes.Length > 4096 || bytes.Contains((byte)0) || !System.Text.Unicode.Utf8.IsValid(bytes))
        {
            return false;
        }

        name = Encoding.UTF8.GetString(bytes);
        return true;
    }

    private static string Shorten(string name) => name.Length <= 64 ? name : name[..64] + "...";

    private void ReplyExportInfo(in VolumeFacts facts)
    {
        Span<byte> info = stackalloc byte[12];
        BinaryPrimitives.WriteUInt16BigEndian(info, (ushort)NbdInfo.Export);
        BinaryPrimitives.WriteUInt64BigEndian(info[2..], (ulong)facts.SizeBytes);
        BinaryPrimitives.WriteUInt16BigEndian(info[10..], (ushort)NbdTransmissionFlags.Export);
        Reply(NbdOptionReply.Info, info);
    }

    private void ReplyBlockSizes(in VolumeFacts facts)
    {
        Span<byte> info = stackalloc byte[14];
        BinaryPrimitives.WriteUInt16BigEndian(info, (ushort)NbdInfo.BlockSize);
        BinaryPrimitives.WriteUInt32BigEndian(info[2..], (uint)facts.LogicalBlockBytes);
        BinaryPrimitives.WriteUInt32BigEndian(info[6..], NbdProtocol.PreferredBlockBytes);
        BinaryPrimitives.WriteUInt32BigEndian(info[10..], NbdProtocol.MaxRequestBytes);
        Reply(NbdOptionReply.Info, info);
    }

    private void ReplyText(NbdInfo kind, string text)
    {
        var bytes = new byte[2 + Encoding.UTF8.GetByteCount(text)];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)kind);
        Encoding.UTF8.GetBytes(text, bytes.AsSpan(2));
        Reply(NbdOptionReply.Info, bytes);
    }

    private void Refuse(NbdOptionReply error, string reason)
    {
        if (!_fixedNewstyle)
        {
            Close(reason);
            return;
        }

        Reply(error, Encoding.UTF8.GetBytes(reason));
        ExpectOption();
    }

    private void Reply(NbdOptionReply type, ReadOnlySpan<byte> data)
    {
        WriteUInt64(NbdProtocol.OptionReplyMagic);
        WriteUInt32((uint)_option);
        WriteUInt32((uint)type);
        WriteUInt32((uint)data.Length);
        _output.Write(data);
    }

    private void ExpectOption()
    {
        _expectation = Expectation.OptionHeader;
        BytesWanted = NbdProtocol.OptionHeaderBytes;
    }

    private void Close(string reason)
    {
        State = NbdNegotiationState.Closed;
        CloseReason = reason;
        BytesWanted = 0;
    }

    private void WriteUInt16(ushort value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(_output.GetSpan(2), value);
        _output.Advance(2);
    }

    private void WriteUInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(_output.GetSpan(4), value);
        _output.Advance(4);
    }

    private void WriteUInt64(ulong value)
    {
        BinaryPrimitives.WriteUInt64BigEndian(_output.GetSpan(8), value);
        _output.Advance(8);
    }
}
