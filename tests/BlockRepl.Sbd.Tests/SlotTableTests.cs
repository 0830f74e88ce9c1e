using Xunit;

namespace BlockRepl.Sbd.Tests;

public sealed class SlotTableTests
{
    private static readonly NodeName Alice = NodeName.FromText("alice");
    private static readonly NodeName Bob = NodeName.FromText("bob");

    [Fact]
    public void Create_writes_the_header_and_each_slot_and_mailbox_once_in_order()
    {
        var device = new MemoryDevice();
        device.Run(new SlotTable(device.Exchange).Create(NewHeader(512)));
        Assert.Equal(Enumerable.Range(0, 511).Select(i => DeviceStep.Write(i)), device.Steps);
    }

    [Fact]
    public void Create_stops_at_the_first_write_that_fails()
    {
        var device = new MemoryDevice { Fault = s => s.Sector == 7 ? SectorError.Failed : SectorError.None };
        var table = new SlotTable(device.Exchange);
        device.Run(table.Create(NewHeader(512)));
        Assert.Equal(SlotOutcome.WriteFailed, table.Outcome);
        Assert.Equal(8, device.Steps.Count);
    }

    [Fact]
    public void A_second_allocation_finds_the_slot_in_any_case_of_letters_and_writes_nothing()
    {
        var (device, table) = NewDevice();
        device.Run(table.Allocate(Alice));
        device.Steps.Clear();
        device.Run(table.Allocate(NodeName.FromText("ALICE")));
        Assert.Equal((SlotOutcome.Done, 0), (table.Outcome, table.Slot));
        Assert.DoesNotContain(device.Steps, step => step.Kind is StepKind.Write or StepKind.Wait);
    }

    [Fact]
    public void All_slots_can_be_allocated_and_then_no_other()
    {
        var (device, table) = NewDevice();
        for (var i = 0; i < SlotLayout.SlotCount; i++)
        {
            device.Run(table.Allocate(NodeName.FromText($"node{i}")));
            Assert.Equal((SlotOutcome.Done, i), (table.Outcome, table.Slot));
        }

        var before = device.Bytes.ToArray();
        device.Run(table.Allocate(NodeName.FromText("one-too-many")));
        Assert.Equal(SlotOutcome.NoFreeSlot, table.Outcome);
        Assert.Equal(before, device.Bytes);
    }

    [Fact]
    public void Who_loses_the_race_for_a_slot_takes_the_next()
    {
        var (device, table) = NewDevice();
        device.Waiting = () =>
        {
            NodeSlot.Write(device.Sector(SlotLayout.SlotSector(0)), Bob);
            device.Waiting = () => { };
        };
        device.Run(table.Allocate(Alice));
        Assert.Equal((SlotOutcome.Done, 1), (table.Outcome, table.Slot));
        Assert.Equal(Bob, NodeSlot.Parse(device.Sector(SlotLayout.SlotSector(0))).Name);
    }

    [Theory]
    [InlineData(StepKind.Write, SlotOutcome.WriteFailed)]
    [InlineData(StepKind.Read, SlotOutcome.ReadFailed)]
    public void A_message_that_cannot_be_written_and_read_back_is_not_sent(StepKind kind, SlotOutcome outcome)
    {
        var (device, table) = NewDevice();
        device.Run(table.Allocate(Bob));
        var mailbox = SlotLayout.MailboxSector(table.Slot);
        device.Steps.Clear();
        device.Fault = s => s.Kind == kind && s.Sector == mailbox ? SectorError.Failed : SectorError.None;
        device.Run(table.Send(Bob, Message.Reset, Alice));
        Assert.Equal(outcome, table.Outcome);
        Assert.DoesNotContain(device.Steps, step => step.Kind == StepKind.Wait);
    }

    [Fact]
    public void A_device_that_lies_about_a_write_is_found_out()
    {
        var (device, table) = NewDevice();
        device.Run(table.Allocate(Bob));
        var mailbox = SlotLayout.MailboxSector(table.Slot);
        device.Fault = step =>
        {
            if (step == DeviceStep.Read(mailbox))
            {
                device.Sector(mailbox).Clear();
            }

            return SectorError.None;
        };
        device.Run(table.Send(Bob, Message.Reset, Alice));
        Assert.Equal(SlotOutcome.NotAsWritten, table.Outcome);
    }

    [Fact]
    public void A_message_waits_for_msgwait_but_exit_does_not()
    {
        var (device, table) = NewDevice();
        device.Run(table.Allocate(Bob));
        device.Steps.Clear();
        device.Run(table.Send(Bob, Message.Exit, Alice));
        Assert.DoesNotContain(device.Steps, step => step.Kind == StepKind.Wait);
        device.Run(table.Send(Bob, Message.Reset, Alice));
        Assert.Equal(
            TimeSpan.FromSeconds(10), device.Steps.Aggregate(TimeSpan.Zero, (sum, step) => sum + step.Time));
        Assert.Equal(StepKind.Wait, device.Steps[^1].Kind);
    }

    [Theory]
    [InlineData(Message.Test)]
    [InlineData(Message.Exit)]
    public void A_weaker_message_does_not_take_the_place_of_one_that_ends_the_node(Message weaker)
    {
        var (device, table) = NewDevice();
        device.Run(table.Allocate(Bob));
        device.Run(table.Send(Bob, Message.Off, Alice));
        device.Run(table.Send(Bob, weaker, Alice));
        Assert.Equal(SlotOutcome.WorseWaits, table.Outcome);
        device.Run(table.Send(Bob, Message.Clear, Alice));
        Assert.Equal(SlotOutcome.Done, table.Outcome);
    }

    [Fact]
    public void A_message_that_was_wiped_out_unread_is_sent_again_and_waited_for_anew()
    {
        var (device, table) = NewDevice();
        device.Run(table.Allocate(Bob));
        device.Steps.Clear();
        device.Waiting = () =>
        {
            device.Sector(SlotLayout.MailboxSector(table.Slot)).Clear();
            device.Waiting = () => { };
        };
        device.Run(table.Send(Bob, Message.Reset, Alice));
        Assert.Equal(SlotOutcome.Done, table.Outcome);
        Assert.Equal(2, device.Steps.Count(step => step.Kind == StepKind.Write));
        Assert.Equal(
            TimeSpan.FromSeconds(12), device.Steps.Aggregate(TimeSpan.Zero, (sum, step) => sum + step.Time));
    }

    [Theory]
    [InlineData(0, SlotOutcome.NoAnswer, 11)]
    [InlineData(3, SlotOutcome.Done, 3)]
    public void A_ping_is_answered_by_a_cleared_mailbox(int answeredAt, SlotOutcome outcome, int waits)
    {
        var (device, table) = NewDevice();
        device.Run(table.Allocate(Bob));
        device.Steps.Clear();
        var waited = 0;
        device.Waiting = () =>
        {
            if (++waited == answeredAt)
            {
                device.Sector(SlotLayout.MailboxSector(table.Slot)).Clear();
            }
        };
        device.Run(table.Send(Bob, Message.Test, Alice, ping: true));
        Assert.Equal((outcome, waits), (table.Outcome, waited));
    }

    [Fact]
    public void The_header_says_how_many_slots_there_are()
    {
        var (device, _) = NewDevice();
        device.Sector(0)[9] = 1;
        var table = device.Open();
        device.Run(table.Allocate(Alice));
        device.Run(table.Allocate(Bob));
        Assert.Equal(SlotOutcome.NoFreeSlot, table.Outcome);
    }

    [Theory]
    [InlineData(0, "there is no SBD header")]
    [InlineData(8, "version")]
    [InlineData(15, "sectors of")]
    public void A_header_that_is_none_is_refused_by_name(int offset, string words)
    {
        var (device, _) = NewDevice();
        device.Sector(0)[offset]++;
        var table = device.Open();
        Assert.Equal(SlotOutcome.NoHeader, table.Outcome);
        Assert.Contains(words, table.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_bytes_are_a_slot_a_mailbox_and_a_header_or_none()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var (device, _) = NewDevice();
            for (var sector = 0; sector < 9; sector++)
            {
                random.NextBytes(device.Sector(sector)[(sector == 0 ? random.Next(40) : 0)..]);
            }

            var table = device.Open();
            Assert.True(table.Header is not null || table.Problem.Length > 0, $"seed {seed}");
            if (table.Header is null)
            {
                continue;
            }

            device.Run(table.List());
            device.Run(table.Find(Alice));
            Assert.NotEqual(SlotOutcome.Done, table.Outcome);
            if (table.Header.SlotCount > 4)
            {
                device.Run(table.Allocate(Alice));
                Assert.True(table.Outcome == SlotOutcome.Done, $"seed {seed}: {table.Outcome}");
            }
        }
    }

    [Fact]
    public void Names_are_cut_at_63_bytes_and_compared_without_case_of_ascii()
    {
        var name = NodeName.FromText(new string('x', 70));
        Assert.Equal(63, name.Bytes.Length);
        Assert.Equal(NodeName.FromText("KNÖDEL"), NodeName.FromText("knÖdel"));
        Assert.NotEqual(NodeName.FromText("KNÖDEL"), NodeName.FromText("knödel"));
        Assert.Equal(NodeName.FromText("A").GetHashCode(), NodeName.FromText("a").GetHashCode());
    }

    [Fact]
    public void Timeouts_that_do_not_fit_are_told_with_their_numbers()
    {
        Assert.Empty(Timeouts.Default.Problems(3));
        Assert.Contains("twice", Assert.Single(new Timeouts(6, 2, 1, 11).Problems(2)), StringComparison.Ordinal);
        Assert.Contains(
            "loop 1 + I/O 9 + watchdog 5 + 1 = 16", Assert.Single(Timeouts.Default.Problems(9)),
            StringComparison.Ordinal);
        Assert.Contains("allocate", Assert.Single(new Timeouts(5, 5, 1, 10).Problems(3)), StringComparison.Ordinal);
        Assert.NotEmpty(new Timeouts(uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue).Problems(3));
    }

    private static (MemoryDevice Device, SlotTable Table) NewDevice()
    {
        var device = new MemoryDevice();
        device.Run(new SlotTable(device.Exchange).Create(NewHeader(512)));
        return (device, device.Open());
    }

    private static DeviceHeader NewHeader(int sectorSize) => new(Guid.NewGuid(), sectorSize, Timeouts.Default);
}
