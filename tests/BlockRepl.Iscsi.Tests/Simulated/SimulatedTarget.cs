using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace BlockRepl.Iscsi.Tests.Simulated;

/// <summary>A target for one connection, written from RFC 7143 without the initiator's code.</summary>
internal sealed class SimulatedTarget(SimulatedLun lun, TargetOptions options)
{
    private readonly List<byte> _received = [];
    private readonly Queue<byte[]> _sent = new();
    private readonly byte[] _challenge = RandomNumberGenerator.GetBytes(24);
    private bool _digests;
    private bool _proven;
    private bool _fullFeature;
    private bool _attention = true;
    private int _logins;
    private byte[] _loginText = [];
    private uint _statSn = 100;
    private uint _expCmdSn;
    private TargetPdu? _write;
    private byte[] _writeData = [];
    private int _writeDone;
    private uint _transfers;
    private int _algorithm;

    /// <summary>Every command descriptor that was to be carried out.</summary>
    public List<byte[]> Commands { get; } = [];

    /// <summary>What the initiator sent, whole PDUs.</summary>
    public List<TargetPdu> Heard { get; } = [];

    public bool LoggedOut { get; private set; }

    /// <summary>PDUs to the initiator, as bytes.</summary>
    public Queue<byte[]> Sent => _sent;

    public void Feed(ReadOnlySpan<byte> bytes)
    {
        _received.AddRange(bytes);
        while (TargetPdu.TakeFrom(_received, _digests) is { } pdu)
        {
            Heard.Add(pdu);
            Take(pdu);
        }
    }

    public void Send(TargetPdu pdu, bool countsStatus = true)
    {
        pdu[24] = _statSn;
        pdu[28] = _expCmdSn;
        pdu[32] = _expCmdSn + (uint)options.Window - 1;
        if (countsStatus)
        {
            _statSn++;
        }

        foreach (TargetPdu tampered in options.Tamper(pdu))
        {
            _sent.Enqueue(tampered.ToBytes(_digests));
        }
    }

    private void Take(TargetPdu pdu)
    {
        switch (pdu.Opcode)
        {
            case 0x03:
                Login(pdu);
                break;
            case 0x01:
                Command(pdu);
                break;
            case 0x05:
                TakeDataOut(pdu);
                break;
            case 0x00 when pdu[16] != uint.MaxValue:
                Send(new TargetPdu(0x20) { [16] = pdu[16], [20] = uint.MaxValue });
                break;
            case 0x00:
                break;
            case 0x06:
                LoggedOut = true;
                Send(new TargetPdu(0x26) { [16] = pdu[16] });
                break;
            default:
                throw new InvalidOperationException($"opcode {pdu.Opcode}");
        }
    }

    private void Login(TargetPdu request)
    {
        _logins++;
        _expCmdSn = request[24];
        int status = options.LoginStatus(_logins);
        int stage = request.Header[1] >> 2 & 3;
        bool transit = (request.Header[1] & 0x80) != 0;
        if (_loginText.Length > 0)
        {
            SendLoginPiece(request, stage, transit, 0, ends: false);
            return;
        }

        Dictionary<string, string> asked = Keys(request.Data);
        var answer = new Dictionary<string, string>();
        if (status == 0)
        {
            status = stage == 0 ? Security(asked, answer, ref transit) : Operational(asked, answer);
        }
        else if (status >> 8 == 1)
        {
            answer["TargetAddress"] = options.Keys["TargetAddress"];
        }

        bool ends = transit && (request.Header[1] & 3) == 3 && status == 0;
        _loginText = Encoding.UTF8.GetBytes(string.Concat(answer.Select(pair => $"{pair.Key}={pair.Value}\0")));
        ends &= _loginText.Length <= options.LoginPiece;
        SendLoginPiece(request, stage, transit && status == 0, status, ends);
        if (ends)
        {
            _fullFeature = true;
            _digests = options.Digests;
        }
    }

    /// <summary>The next piece of the answer; while more follow, each request must be empty.</summary>
    private void SendLoginPiece(TargetPdu request, int stage, bool transit, int status, bool ends)
    {
        int size = Math.Min(options.LoginPiece, _loginText.Length);
        var response = new TargetPdu(0x23) { [16] = request[16], Data = _loginText[..size] };
        _loginText = _loginText[size..];
        bool continues = _loginText.Length > 0;
        request.Header.AsSpan(8, 6).CopyTo(response.Header.AsSpan(8));
        response.Header[1] = (byte)(stage << 2 | (continues ? 0x40 : 0));
        if (transit && !continues)
        {
            response.Header[1] |= (byte)(0x80 | (request.Header[1] & 3));
        }

        response.Header[15] = ends ? (byte)7 : (byte)0;
        response.Header[36] = (byte)(status >> 8);
        response.Header[37] = (byte)status;
        Send(response);
    }

    private int Security(Dictionary<string, string> asked, Dictionary<string, string> answer, ref bool transit)
    {
        if (asked.TryGetValue("AuthMethod", out string? methods))
        {
            string method = options.Incoming is null ? "None" : "CHAP";
            if (!methods.Split(',').Contains(method))
            {
                return 0x0201;
            }

            answer["AuthMethod"] = method;
            answer["TargetPortalGroupTag"] = "1";
            _proven = options.Incoming is null;
        }
        else if (asked.TryGetValue("CHAP_A", out string? algorithms))
        {
            _algorithm = options.ChapAlgorithm;
            answer["CHAP_A"] = algorithms.Split(',').Contains($"{_algorithm}") ? $"{_algorithm}" : "Reject";
            answer["CHAP_I"] = "77";
            answer["CHAP_C"] = "0b" + Convert.ToBase64String(_challenge);
        }
        else if (asked.TryGetValue("CHAP_R", out string? proof))
        {
            (string user, string secret) = options.Incoming!.Value;
            _proven = asked["CHAP_N"] == user && Hash(77, secret, _challenge) == proof[2..];
            if (!_proven)
            {
                return 0x0201;
            }

            if (asked.TryGetValue("CHAP_C", out string? challenge) && options.Outgoing is { } own)
            {
                answer["CHAP_N"] = own.User;
                answer["CHAP_R"] = "0x" + Hash(
                    byte.Parse(asked["CHAP_I"], CultureInfo.InvariantCulture), own.Secret,
                    Convert.FromHexString(challenge[2..]));
            }
        }

        transit &= _proven;
        return 0;
    }

    private string Hash(byte id, string secret, byte[] challenge)
    {
        byte[] text = [id, .. Encoding.UTF8.GetBytes(secret), .. challenge];
#pragma warning disable CA5350, CA5351 // what CHAP is made of
        byte[] hash = _algorithm switch
        {
            5 => MD5.HashData(text),
            6 => SHA1.HashData(text),
            _ => SHA256.HashData(text),
        };
#pragma warning restore CA5350, CA5351
        return Convert.ToHexStringLower(hash);
    }

    private int Operational(Dictionary<string, string> asked, Dictionary<string, string> answer)
    {
        if (!_proven)
        {
            return 0x0201;
        }

        string digest = options.Digests ? "CRC32C" : "None";
        foreach (string key in asked.Keys)
        {
            answer[key] = key switch
            {
                "HeaderDigest" or "DataDigest" => digest,
                "ImmediateData" => options.ImmediateData ? "Yes" : "No",
                "MaxBurstLength" => $"{options.Burst}",
                "FirstBurstLength" => $"{Math.Min(options.Burst, 65536)}",
                "MaxRecvDataSegmentLength" => $"{options.Segment}",
                _ => asked[key],
            };
        }

        foreach (KeyValuePair<string, string> pair in asked.Count == 0 ? [] : options.Keys)
        {
            answer[pair.Key] = pair.Value;
        }

        return 0;
    }

    private void Command(TargetPdu pdu)
    {
        if (!_fullFeature || pdu[24] != _expCmdSn)
        {
            throw new InvalidOperationException("a command that must not come now");
        }

        _expCmdSn++;
        byte[] cdb = pdu.Header[32..48];
        Commands.Add(cdb);
        (byte Status, byte Key, ushort Code)? failure =
            _attention ? ((byte)2, (byte)6, (ushort)0x2900)
            : options.Unknown.Contains(cdb[0]) ? ((byte)2, (byte)5, (ushort)0x2000)
            : options.Fail(cdb);
        _attention = false;
        if (failure is { } f)
        {
            Respond(pdu[16], f.Status, f.Key, f.Code);
            return;
        }

        CarryOut(pdu, cdb);
    }

    private void CarryOut(TargetPdu pdu, byte[] cdb)
    {
        switch (cdb[0])
        {
            case 0x12:
                SendData(pdu, [0, 0, 5, 2, 31, 0, 0, 2, .. "SIM     VIRTUAL-DISK    0001"u8]);
                break;
            case 0x1a:
                SendData(pdu, [3, 0, (byte)((options.IsWriteProtected ? 0x80 : 0) | (options.HasFua ? 0x10 : 0)), 0]);
                break;
            case 0x25:
                SendData(pdu, [.. Big((uint)lun.SectorCount - 1), .. Big((uint)lun.SectorSize)]);
                break;
            case 0x9e:
                SendData(
                    pdu,
                    [0, 0, 0, 0, .. Big((uint)lun.SectorCount - 1), .. Big((uint)lun.SectorSize), .. new byte[20]]);
                break;
            case 0x28:
                (int first, int count) = Range(cdb);
                SendData(pdu, lun.Content[(first * lun.SectorSize)..((first + count) * lun.SectorSize)]);
                break;
            case 0x2a:
                BeginWrite(pdu);
                break;
            case 0x35:
                lun.UnflushedSectors.Clear();
                Respond(pdu[16], 0, 0, 0);
                break;
            default:
                Respond(pdu[16], 0, 0, 0);
                break;
        }
    }

    private void SendData(TargetPdu command, byte[] data)
    {
        data = data[..Math.Min(data.Length, (int)command[20])];
        uint number = 0;
        for (int offset = 0; offset < data.Length; offset += options.Segment)
        {
            bool isLast = offset + options.Segment >= data.Length;
            var part = new TargetPdu(0x25)
            {
                [16] = command[16],
                [20] = uint.MaxValue,
                [36] = number++,
                [40] = (uint)offset,
                Data = data[offset..Math.Min(offset + options.Segment, data.Length)],
            };
            uint missing = command[20] - (uint)data.Length;
            part.Header[1] = (byte)(isLast ? 0x81 | (missing > 0 ? 2 : 0) : 0);
            part[44] = isLast ? missing : 0;
            Send(part, countsStatus: isLast);
        }
    }

    private void BeginWrite(TargetPdu pdu)
    {
        _write = pdu;
        _writeData = new byte[pdu[20]];
        _writeDone = 0;
        _transfers = 0;
        TakeWritten(pdu.Data, 0);
        Continue();
    }

    private void TakeDataOut(TargetPdu pdu)
    {
        TakeWritten(pdu.Data, (int)pdu[40]);
        if ((pdu.Header[1] & 0x80) != 0)
        {
            Continue();
        }
    }

    private void TakeWritten(byte[] data, int offset)
    {
        if (offset != _writeDone || data.Length > options.Segment)
        {
            throw new InvalidOperationException("data out of order or too long");
        }

        data.CopyTo(_writeData, offset);
        _writeDone += data.Length;
    }

    private void Continue()
    {
        if (_writeDone < _writeData.Length)
        {
            Send(
                new TargetPdu(0x31)
                {
                    [16] = _write![16],
                    [20] = 0x5000 + _transfers,
                    [36] = _transfers++,
                    [40] = (uint)_writeDone,
                    [44] = (uint)Math.Min(options.Burst, _writeData.Length - _writeDone),
                },
                countsStatus: false);
            return;
        }

        byte[] cdb = _write!.Header[32..48];
        (int first, int count) = Range(cdb);
        _writeData.CopyTo(lun.Content, first * lun.SectorSize);
        foreach (int sector in Enumerable.Range(first, (cdb[1] & 8) != 0 ? 0 : count))
        {
            lun.UnflushedSectors.Add(sector);
        }

        Respond(_write[16], 0, 0, 0);
    }

    private void Respond(uint tag, byte status, byte key, ushort code)
    {
        var response = new TargetPdu(0x21) { [16] = tag };
        response.Header[3] = status;
        if (status == 2)
        {
            response.Data =
                [0, 18, 0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, (byte)(code >> 8), (byte)code, 0, 0, 0, 0];
        }

        Send(response);
    }

    private static (int First, int Count) Range(byte[] cdb) => (
        (int)BinaryPrimitives.ReadUInt32BigEndian(cdb.AsSpan(2)), BinaryPrimitives.ReadUInt16BigEndian(cdb.AsSpan(7)));

    private static byte[] Big(uint number) =>
        [(byte)(number >> 24), (byte)(number >> 16), (byte)(number >> 8), (byte)number];

    private static Dictionary<string, string> Keys(byte[] text) =>
        Encoding.UTF8.GetString(text).Split('\0', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split('=', 2))
            .ToDictionary(pair => pair[0], pair => pair[1]);
}
