using System.Buffers;
using BlockRepl.Iscsi.Protocol.Pdus;
using BlockRepl.Iscsi.Protocol.Scsi;

namespace BlockRepl.Iscsi.Protocol.Session;

/// <summary>The one command that is under way: how much has gone out and come in, and what may come next.</summary>
internal sealed class ScsiTask(ScsiCommand command, uint tag)
{
    private uint _nextDataSn;
    private uint _nextTransfer;
    private int _sent;

    public ScsiCommand Command { get; } = command;

    public uint Tag { get; } = tag;

    public bool IsSent { get; private set; }

    public int Received { get; private set; }

    private int Length => Command.DataOut.Length > 0 ? Command.DataOut.Length : Command.DataIn.Length;

    /// <summary>The command was sent with the first bytes of its data.</summary>
    public void Sent(int immediateBytes)
    {
        IsSent = true;
        _sent = immediateBytes;
    }

    /// <summary>Takes data that must follow those before.</summary>
    public void Take(in DataIn part, in ReadOnlySequence<byte> data)
    {
        if (part.DataSn != _nextDataSn || part.Offset != (uint)Received)
        {
            throw IscsiException.Violation(
                $"data {part.DataSn} at {part.Offset} where {_nextDataSn} at {Received} must follow");
        }

        if (data.Length > Command.DataIn.Length - Received)
        {
            throw IscsiException.Violation($"more data than {Command.Name} asked for");
        }

        data.CopyTo(Command.DataIn.AsSpan(Received));
        Received += (int)data.Length;
        _nextDataSn++;
    }

    /// <summary>The part of the data that the target now asks for; it must follow those before.</summary>
    public ReadOnlyMemory<byte> Take(in ReadyToTransfer request, int maxBurst)
    {
        if (request.TransferTag == HeaderLayout.NoTag || request.Number != _nextTransfer
            || request.Offset != (uint)_sent || request.Length == 0 || request.Length > (uint)maxBurst
            || request.Length > (uint)(Command.DataOut.Length - _sent))
        {
            throw IscsiException.Violation(
                $"it asks for {request.Length} bytes at {request.Offset} of a {Command.Name} "
                + $"with {Command.DataOut.Length}, of which {_sent} were sent");
        }

        _nextTransfer++;
        _sent += (int)request.Length;
        return Command.DataOut.Slice((int)request.Offset, (int)request.Length);
    }

    /// <summary>With a good end, all that was asked for has been moved, save what the target says is missing.</summary>
    public void CheckGoodEnd(in Residual residual)
    {
        uint moved = (uint)(Command.DataOut.Length > 0 ? _sent : Received);
        uint missing = residual.Underflow ? residual.Count : 0;
        bool isWhole = Command.DataOut.Length > 0 ? missing == 0 && moved == Length : moved + missing == Length;
        if (residual.Overflow && Command.DataOut.Length > 0)
        {
            isWhole = false;
        }

        if (!isWhole)
        {
            throw IscsiException.Violation(
                $"{Command.Name} ends well after {moved} of {Length} bytes, {missing} said to be missing");
        }
    }
}
