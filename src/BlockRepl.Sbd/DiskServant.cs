namespace BlockRepl.Sbd;

/// <summary>Why a disk servant has ended.</summary>
public enum ServantEnd
{
    /// <summary>The device cannot be used, or is not the one it was: it may be started again.</summary>
    DeviceLost,

    /// <summary>A message waits and the node is to start only if none does.</summary>
    MessageWaits,

    /// <summary>A message that ends the node was read.</summary>
    Fenced,
}

/// <summary>What a servant tells the inquisitor; called from within the servant's steps.</summary>
public interface IServantReports
{
    /// <summary>The device was read and asks for nothing.</summary>
    /// <param name="evidenceNs">When the read of the mailbox began: what it says was true then.</param>
    void Alive(long evidenceNs);

    /// <summary>A message other than one that ends the node at once: test, exit, or an unknown code.</summary>
    void MessageSeen(Message message, NodeName sender);
}

/// <summary>
/// Watches one device for this node: owns a slot there and reads, once in each loop, the header, the slot and the
/// mailbox.
/// </summary>
public sealed class DiskServant(Exchange io, NodeName self, IServantReports reports)
{
    private readonly byte[] _header = new byte[DeviceHeader.IdentityBytes];
    private readonly byte[] _slot = new byte[NodeSlot.IdentityBytes];

    public SlotTable Table { get; } = new(io);

    public ServantEnd End { get; private set; }

    /// <summary>The message that ended this node or keeps it from starting, and who sent it.</summary>
    public Mailbox Mailbox { get; private set; }

    /// <summary>What was not as it should be.</summary>
    public string Problem { get; private set; } = "";

    /// <summary>Whether the slot is there and the mailbox was looked at: a later start is not the first.</summary>
    public bool HasStarted { get; private set; }

    /// <param name="firstStart">
    /// Messages from before the first start are cleared. A later start acts on what came while nobody read.
    /// </param>
    /// <param name="clean">Refuse the first start if a message waits.</param>
    public IEnumerable<DeviceStep> Run(bool firstStart, bool clean)
    {
        End = ServantEnd.DeviceLost;
        foreach (var step in TakeSlot())
        {
            yield return step;
        }

        if (Table.Outcome != SlotOutcome.Done)
        {
            Problem = Table.Problem;
            yield break;
        }

        if (firstStart)
        {
            foreach (var step in OpenMailbox(clean))
            {
                yield return step;
            }

            if (io.Failed || End == ServantEnd.MessageWaits)
            {
                yield break;
            }
        }

        HasStarted = true;
        foreach (var step in Watch())
        {
            yield return step;
        }
    }

    private IEnumerable<DeviceStep> TakeSlot()
    {
        foreach (var step in Table.ReadHeader())
        {
            yield return step;
        }

        if (Table.Outcome != SlotOutcome.Done)
        {
            yield break;
        }

        io.Sector.AsSpan(0, _header.Length).CopyTo(_header);
        foreach (var step in Table.Allocate(self))
        {
            yield return step;
        }

        io.Sector.AsSpan(0, _slot.Length).CopyTo(_slot);
    }

    private IEnumerable<DeviceStep> OpenMailbox(bool clean)
    {
        var sector = SlotLayout.MailboxSector(Table.Slot);
        if (clean)
        {
            yield return DeviceStep.Read(sector);
            Mailbox = Mailbox.Parse(io.Sector);
            if (io.Failed)
            {
                yield break;
            }

            if (Mailbox.Message is not (Message.Clear or Message.Exit))
            {
                End = ServantEnd.MessageWaits;
                yield break;
            }
        }

        io.Sector.AsSpan().Clear();
        yield return DeviceStep.Write(sector);
    }

    private IEnumerable<DeviceStep> Watch()
    {
        var mailbox = SlotLayout.MailboxSector(Table.Slot);
        while (true)
        {
            yield return DeviceStep.Wait(Table.Header!.Timeouts.Loop);
            yield return DeviceStep.Read(SlotLayout.HeaderSector);
            if (!IsAsBefore(_header, "the header is not the one of before"))
            {
                yield break;
            }

            yield return DeviceStep.Read(SlotLayout.SlotSector(Table.Slot));
            if (!IsAsBefore(_slot, "the slot does not belong to this node any more"))
            {
                yield break;
            }

            yield return DeviceStep.Read(mailbox);
            if (io.Failed)
            {
                yield break;
            }

            var evidence = io.StartedNs;
            Mailbox = Mailbox.Parse(io.Sector);
            if (Mailbox.Message.EndsNode())
            {
                // It stays where it is: a node that was off and is started by hand shall know.
                End = ServantEnd.Fenced;
                yield break;
            }

            if (Mailbox.Message > Message.Clear)
            {
                // The cleared mailbox answers a test; an exit left in it would look like a node of unknown state.
                var seen = Mailbox;
                io.Sector.AsSpan().Clear();
                yield return DeviceStep.Write(mailbox);
                if (io.Failed)
                {
                    yield break;
                }

                reports.MessageSeen(seen.Message, seen.Sender);
            }

            reports.Alive(evidence);
        }
    }

    private bool IsAsBefore(byte[] before, string problem)
    {
        if (io.Failed)
        {
            return false;
        }

        Problem = io.Sector.AsSpan(0, before.Length).SequenceEqual(before) ? "" : problem;
        return Problem.Length == 0;
    }
}
