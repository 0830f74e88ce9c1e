using Xunit;

namespace BlockRepl.Sbd.Tests;

public sealed class DiskServantTests : IServantReports
{
    private static readonly NodeName Bob = NodeName.FromText("bob");
    private readonly List<string> _reports = [];
    private readonly MemoryDevice _device = new();

    public DiskServantTests() =>
        _device.Run(new SlotTable(_device.Exchange).Create(new DeviceHeader(Guid.NewGuid(), 512, Timeouts.Default)));

    void IServantReports.Alive(long evidenceNs) => _reports.Add("alive");

    void IServantReports.MessageSeen(Message message, NodeName sender) => _reports.Add(message.Word());

    [Fact]
    public void A_round_reads_header_slot_and_mailbox_and_proves_health()
    {
        Start(rounds: 1, () => _device.Steps.Clear());
        Assert.Equal(["alive"], _reports);
        Assert.Equal([DeviceStep.Read(0), DeviceStep.Read(1), DeviceStep.Read(2)], _device.Steps[1..4]);
    }

    [Theory]
    [InlineData(Message.Reset)]
    [InlineData(Message.Off)]
    [InlineData(Message.CrashDump)]
    public void A_message_that_ends_the_node_ends_the_servant_and_stays(Message message)
    {
        var servant = Start(rounds: 3, () => Put(message));
        Assert.Equal((ServantEnd.Fenced, message), (servant.End, servant.Mailbox.Message));
        Assert.Equal(message, Mailbox.Parse(_device.Sector(2)).Message);
        Assert.Empty(_reports);
    }

    [Theory]
    [InlineData(1, "test")]
    [InlineData(4, "exit")]
    [InlineData(99, "undefined")]
    public void Another_message_is_told_and_cleared(int code, string word)
    {
        Start(rounds: 1, () => Put((Message)code));
        Assert.Equal([word, "alive"], _reports);
        Assert.Equal(0, _device.Sector(2)[0]);
    }

    [Fact]
    public void A_negative_code_is_left_alone()
    {
        Start(rounds: 1, () => Put((Message)(-1)));
        Assert.Equal(["alive"], _reports);
        Assert.Equal(0xff, _device.Sector(2)[0]);
    }

    [Theory]
    [InlineData(0, "the header")]
    [InlineData(1, "the slot")]
    public void Another_header_or_slot_ends_the_servant(int sector, string words)
    {
        var servant = Start(rounds: 3, () => _device.Sector(sector)[40]++);
        Assert.Equal(ServantEnd.DeviceLost, servant.End);
        Assert.StartsWith(words, servant.Problem, StringComparison.Ordinal);
        Assert.Empty(_reports);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_read_that_fails_ends_the_servant_without_a_proof(int sector)
    {
        Start(rounds: 3, () =>
            _device.Fault = step => step == DeviceStep.Read(sector) ? SectorError.TimedOut : SectorError.None);
        Assert.Empty(_reports);
    }

    [Theory]
    [InlineData(Message.Reset, false, ServantEnd.DeviceLost, 0)]
    [InlineData(Message.Reset, true, ServantEnd.MessageWaits, 2)]
    [InlineData(Message.Test, true, ServantEnd.MessageWaits, 1)]
    [InlineData(Message.Exit, true, ServantEnd.DeviceLost, 0)]
    public void The_first_start_clears_the_mailbox_or_refuses(Message message, bool clean, ServantEnd end, int left)
    {
        Start(rounds: 1, () => { });
        Put(message);
        var servant = Start(rounds: 0, () => { }, clean: clean);
        Assert.Equal((end, left), (servant.End, _device.Sector(2)[0]));
    }

    [Fact]
    public void A_later_start_acts_on_what_came_meanwhile()
    {
        Start(rounds: 1, () => { });
        Put(Message.Off);
        var servant = Start(rounds: 2, () => { }, first: false);
        Assert.Equal(ServantEnd.Fenced, servant.End);
    }

    /// <summary>Runs a servant; calls back when it waits for its first round.</summary>
    private DiskServant Start(int rounds, Action started, bool first = true, bool clean = false)
    {
        var servant = new DiskServant(_device.Exchange, Bob, this);
        var waits = 0;
        _device.Run(servant.Run(first, clean).TakeWhile(step =>
        {
            if (servant.HasStarted && step.Kind == StepKind.Wait && ++waits == 1)
            {
                _device.Steps.Clear();
                started();
            }

            return !servant.HasStarted || waits <= rounds;
        }));
        return servant;
    }

    private void Put(Message message) => Mailbox.Write(_device.Sector(2), message, NodeName.FromText("alice"));
}
