namespace BlockRepl.Sbd;

/// <summary>How a procedure on a slot table ended.</summary>
public enum SlotOutcome
{
    Done,
    ReadFailed,
    WriteFailed,
    NoHeader,
    NoSuchNode,
    NoFreeSlot,

    /// <summary>What was written does not read back.</summary>
    NotAsWritten,

    /// <summary>The mailbox holds a message that ends the node: no weaker one may take its place.</summary>
    WorseWaits,

    /// <summary>A ping was not answered in time.</summary>
    NoAnswer,
}

/// <summary>
/// The slot table of one device: every operation that the commands and the servant do on it, as procedures
/// (<see cref="Exchange"/>). Each leaves <see cref="Outcome"/>. Before any other but the creation, the header is read.
/// </summary>
public sealed class SlotTable(Exchange io)
{
    private const uint SecondLook = 2;
    private const int MaxSecondLooks = 2;

    public SlotOutcome Outcome { get; private set; }

    /// <summary>Why <see cref="ReadHeader"/> found none.</summary>
    public string Problem { get; private set; } = "";

    /// <summary>What <see cref="ReadHeader"/> found.</summary>
    public DeviceHeader? Header { get; set; }

    /// <summary>What <see cref="Find"/> and <see cref="Allocate"/> found.</summary>
    public int Slot { get; private set; } = -1;

    /// <summary>Told by <see cref="Allocate"/> before it writes a free slot.</summary>
    public Action<int>? Taking { get; init; }

    /// <summary>Told by <see cref="List"/> of each slot in use.</summary>
    public Action<int, NodeSlot, Mailbox>? Listed { get; init; }

    private int SlotCount => Header!.SlotCount;

    /// <summary>Writes a new header and clears all slots and mailboxes.</summary>
    public IEnumerable<DeviceStep> Create(DeviceHeader header)
    {
        Outcome = SlotOutcome.WriteFailed;
        header.WriteTo(io.Sector);
        yield return DeviceStep.Write(SlotLayout.HeaderSector);
        for (var sector = SlotLayout.SlotSector(0); sector < SlotLayout.SectorCount; sector++)
        {
            if (io.Failed)
            {
                yield break;
            }

            io.Sector.AsSpan().Clear();
            yield return DeviceStep.Write(sector);
        }

        Outcome = io.Failed ? SlotOutcome.WriteFailed : SlotOutcome.Done;
    }

    public IEnumerable<DeviceStep> ReadHeader()
    {
        yield return DeviceStep.Read(SlotLayout.HeaderSector);
        if (io.Failed)
        {
            Outcome = SlotOutcome.ReadFailed;
            yield break;
        }

        Header = DeviceHeader.Parse(io.Sector, out var problem);
        Problem = problem;
        Outcome = Header is null ? SlotOutcome.NoHeader : SlotOutcome.Done;
    }

    public IEnumerable<DeviceStep> List()
    {
        Outcome = SlotOutcome.ReadFailed;
        for (var first = 0; first < SlotCount; first += SlotLayout.SlotsAtOnce)
        {
            yield return ReadSome(first);
            var failed = io.Failed;
            for (var i = 0; i < io.SlotsRead; i++)
            {
                var owner = NodeSlot.Parse(io.Slot(i));
                if (owner.InUse <= 0)
                {
                    continue;
                }

                yield return DeviceStep.Read(SlotLayout.MailboxSector(first + i));
                if (io.Failed)
                {
                    yield break;
                }

                Listed?.Invoke(first + i, owner, Mailbox.Parse(io.Sector));
            }

            if (failed)
            {
                yield break;
            }
        }

        Outcome = SlotOutcome.Done;
    }

    /// <summary>Looks the slot of a node up.</summary>
    public IEnumerable<DeviceStep> Find(NodeName name) =>
        FindFirst(slot => slot.IsOwned && slot.Name == name, SlotOutcome.NoSuchNode);

    /// <summary>
    /// Finds the node's slot or takes a free one. Two nodes may take the same one at the same time: the second write
    /// stays, and who finds another name after the allocate time-out takes another slot.
    /// </summary>
    public IEnumerable<DeviceStep> Allocate(NodeName name)
    {
        while (true)
        {
            foreach (var step in Find(name))
            {
                yield return step;
            }

            if (Outcome != SlotOutcome.NoSuchNode)
            {
                yield break;
            }

            foreach (var step in FindFree())
            {
                yield return step;
            }

            if (Outcome != SlotOutcome.Done)
            {
                yield break;
            }

            Taking?.Invoke(Slot);
            NodeSlot.Write(io.Sector, name);
            yield return DeviceStep.Write(SlotLayout.SlotSector(Slot));
            if (io.Failed)
            {
                Outcome = SlotOutcome.WriteFailed;
                yield break;
            }

            yield return DeviceStep.Wait(Header!.Timeouts.Allocate);
        }
    }

    /// <summary>Writes a message into the mailbox of <see cref="Slot"/> and reads it back.</summary>
    public IEnumerable<DeviceStep> Post(Message message, NodeName sender)
    {
        var mailbox = SlotLayout.MailboxSector(Slot);
        Mailbox.Write(io.Sector, message, sender);
        yield return DeviceStep.Write(mailbox);
        if (io.Failed)
        {
            Outcome = SlotOutcome.WriteFailed;
            yield break;
        }

        yield return DeviceStep.Read(mailbox);
        var found = Mailbox.Parse(io.Sector);
        // A node may have answered a test, or followed an exit, before this was read.
        var isCleared = found.Message == Message.Clear && message is (Message.Test or Message.Exit);
        var same = isCleared || (found.Message == message && found.Sender == sender);
        Outcome = io.Failed ? SlotOutcome.ReadFailed : same ? SlotOutcome.Done : SlotOutcome.NotAsWritten;
    }

    /// <summary>
    /// Sends a message to a node: the header is read, the slot looked up, the message posted; then msgwait passes,
    /// after which the node has followed a message that ends it. "exit" is not waited for. A ping is a "test" that
    /// ends when the node has cleared it.
    /// </summary>
    public IEnumerable<DeviceStep> Send(NodeName target, Message message, NodeName sender, bool ping = false)
    {
        foreach (var step in ReadHeader())
        {
            yield return step;
        }

        if (Outcome != SlotOutcome.Done)
        {
            yield break;
        }

        foreach (var step in Find(target))
        {
            yield return step;
        }

        if (Outcome != SlotOutcome.Done)
        {
            yield break;
        }

        if (message is Message.Test or Message.Exit)
        {
            yield return DeviceStep.Read(SlotLayout.MailboxSector(Slot));
            Outcome = io.Failed ? SlotOutcome.ReadFailed
                : Mailbox.Parse(io.Sector).Message.EndsNode() ? SlotOutcome.WorseWaits : SlotOutcome.Done;
        }

        if (Outcome != SlotOutcome.Done)
        {
            yield break;
        }

        foreach (var step in Post(message, sender))
        {
            yield return step;
        }

        if (Outcome == SlotOutcome.Done && message != Message.Exit)
        {
            foreach (var step in ping ? AwaitAnswer() : AwaitEnd(message, sender))
            {
                yield return step;
            }
        }
    }

    /// <summary>
    /// A message may be wiped out unread: by a "test" that somebody else sends, or by the node itself:
    /// 1. it reads a "test"; 2. this message is written and read back; 3. its cleared mailbox is written over it.
    /// So the mailbox is looked at again, and if no message that ends the node is there, this one is sent once more.
    /// (One that was followed stays. Later than this a node that was reset could be up again, and its empty mailbox
    /// would look the same: if the last look fails, nobody knows, and the message counts as not sent.)
    /// </summary>
    private IEnumerable<DeviceStep> AwaitEnd(Message message, NodeName sender)
    {
        var left = Header!.Timeouts.MessageWait;
        for (var again = 0; message.EndsNode() && left > SecondLook && again < MaxSecondLooks; again++)
        {
            yield return DeviceStep.Wait(SecondLook);
            left -= SecondLook;
            yield return DeviceStep.Read(SlotLayout.MailboxSector(Slot));
            Outcome = io.Failed ? SlotOutcome.ReadFailed : SlotOutcome.Done;
            if (io.Failed || Mailbox.Parse(io.Sector).Message.EndsNode())
            {
                continue;
            }

            foreach (var step in Post(message, sender))
            {
                yield return step;
            }

            if (Outcome != SlotOutcome.Done)
            {
                yield break;
            }

            left = Header.Timeouts.MessageWait;
        }

        if (Outcome == SlotOutcome.Done)
        {
            yield return DeviceStep.Wait(left);
        }
    }

    private IEnumerable<DeviceStep> AwaitAnswer()
    {
        for (var polls = 0L; polls <= Header!.Timeouts.MessageWait; polls++)
        {
            yield return DeviceStep.Wait(1);
            yield return DeviceStep.Read(SlotLayout.MailboxSector(Slot));
            if (io.Failed)
            {
                Outcome = SlotOutcome.ReadFailed;
                yield break;
            }

            if (Mailbox.Parse(io.Sector).Message != Message.Test)
            {
                yield break;
            }
        }

        Outcome = SlotOutcome.NoAnswer;
    }

    private IEnumerable<DeviceStep> FindFree() => FindFirst(slot => !slot.IsOwned, SlotOutcome.NoFreeSlot);

    /// <summary>Leaves the sector of the slot that was found, as if it alone had been read.</summary>
    private IEnumerable<DeviceStep> FindFirst(Func<NodeSlot, bool> isWanted, SlotOutcome ifNone)
    {
        Outcome = ifNone;
        for (var first = 0; first < SlotCount; first += SlotLayout.SlotsAtOnce)
        {
            yield return ReadSome(first);
            for (var i = 0; i < io.SlotsRead; i++)
            {
                if (isWanted(NodeSlot.Parse(io.Slot(i))))
                {
                    io.Slot(i).CopyTo(io.Sector);
                    io.Error = SectorError.None;
                    (Slot, Outcome) = (first + i, SlotOutcome.Done);
                    yield break;
                }
            }

            if (io.Failed)
            {
                Outcome = SlotOutcome.ReadFailed;
                yield break;
            }
        }
    }

    private DeviceStep ReadSome(int first) =>
        DeviceStep.ReadSlots(first, Math.Min(SlotLayout.SlotsAtOnce, SlotCount - first));
}
