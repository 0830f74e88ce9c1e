using System.Buffers.Binary;

namespace BlockRepl.Iscsi.Protocol.Pdus;

// What an initiator sends. Each writes its basic header of 48 zeroed bytes, all numbers big endian.

/// <summary>The two stages of a login, and the phase behind it.</summary>
internal enum LoginStage : byte
{
    Security = 0,
    Operational = 1,
    FullFeature = 3,
}

/// <summary>Login request.</summary>
/// <param name="Transit">Ready to go on to the next stage.</param>
/// <param name="Isid">Six bytes; together with the initiator's name it tells the target which session is
/// meant.</param>
internal readonly record struct LoginRequest(
    bool Transit, LoginStage Stage, LoginStage NextStage, byte[] Isid, ushort Tsih, uint TaskTag, uint CmdSn,
    uint ExpStatSn)
{
    public void Encode(Span<byte> header)
    {
        header[0] = (byte)Opcode.LoginRequest | HeaderLayout.Immediate;
        header[HeaderLayout.Flags] = (byte)((byte)Stage << 2);
        if (Transit)
        {
            header[HeaderLayout.Flags] |= (byte)(0x80 | (byte)NextStage);
        }

        Isid.CopyTo(header[8..]);
        BinaryPrimitives.WriteUInt16BigEndian(header[14..], Tsih);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.TaskTag..], TaskTag);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.CmdSn..], CmdSn);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.ExpStatSn..], ExpStatSn);
    }
}

/// <summary>SCSI command; the first part of what it writes may be its data segment.</summary>
internal readonly record struct ScsiCommandRequest(
    bool Reads, bool Writes, ulong Lun, uint TaskTag, uint TransferLength, uint CmdSn, uint ExpStatSn,
    ReadOnlyMemory<byte> Cdb)
{
    private const byte SimpleTask = 1;

    public void Encode(Span<byte> header)
    {
        header[0] = (byte)Opcode.ScsiCommand;
        header[HeaderLayout.Flags] =
            (byte)(HeaderLayout.Final | (Reads ? 0x40 : 0) | (Writes ? 0x20 : 0) | SimpleTask);
        BinaryPrimitives.WriteUInt64BigEndian(header[HeaderLayout.Lun..], Lun);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.TaskTag..], TaskTag);
        BinaryPrimitives.WriteUInt32BigEndian(header[20..], TransferLength);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.CmdSn..], CmdSn);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.ExpStatSn..], ExpStatSn);
        Cdb.Span.CopyTo(header[32..]);
    }
}

/// <summary>Data that the target asked for.</summary>
internal readonly record struct DataOutRequest(
    bool Final, ulong Lun, uint TaskTag, uint TransferTag, uint ExpStatSn, uint DataSn, uint Offset)
{
    public void Encode(Span<byte> header)
    {
        header[0] = (byte)Opcode.DataOut;
        header[HeaderLayout.Flags] = Final ? HeaderLayout.Final : (byte)0;
        BinaryPrimitives.WriteUInt64BigEndian(header[HeaderLayout.Lun..], Lun);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.TaskTag..], TaskTag);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.TransferTag..], TransferTag);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.ExpStatSn..], ExpStatSn);
        BinaryPrimitives.WriteUInt32BigEndian(header[36..], DataSn);
        BinaryPrimitives.WriteUInt32BigEndian(header[40..], Offset);
    }
}

/// <summary>A ping of ours (with a task tag) or the answer to one of the target's (with its transfer tag).</summary>
internal readonly record struct NopOutRequest(ulong Lun, uint TaskTag, uint TransferTag, uint CmdSn, uint ExpStatSn)
{
    public void Encode(Span<byte> header)
    {
        header[0] = (byte)Opcode.NopOut | HeaderLayout.Immediate;
        header[HeaderLayout.Flags] = HeaderLayout.Final;
        BinaryPrimitives.WriteUInt64BigEndian(header[HeaderLayout.Lun..], Lun);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.TaskTag..], TaskTag);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.TransferTag..], TransferTag);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.CmdSn..], CmdSn);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.ExpStatSn..], ExpStatSn);
    }
}

/// <summary>Ends the session (reason 0).</summary>
internal readonly record struct LogoutRequest(uint TaskTag, uint CmdSn, uint ExpStatSn)
{
    public void Encode(Span<byte> header)
    {
        header[0] = (byte)Opcode.LogoutRequest | HeaderLayout.Immediate;
        header[HeaderLayout.Flags] = HeaderLayout.Final;
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.TaskTag..], TaskTag);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.CmdSn..], CmdSn);
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.ExpStatSn..], ExpStatSn);
    }
}
