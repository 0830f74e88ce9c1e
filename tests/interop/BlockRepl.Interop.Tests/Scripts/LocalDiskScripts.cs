using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>A node without its disk, and fencing of a peer that is not heard.</summary>
[Trait("Category", "Interop")]
public sealed class LocalDiskScripts(Laboratory laboratory)
{
    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void A_Primary_without_a_disk_reads_and_writes_through_its_peer(Side primary, Setup setup) =>
        Scenario.Play(laboratory, primary, new Configuration { Setup = setup }, s =>
        {
            s.Expect("P_DATA_REQUEST", "P_DATA_REPLY");
            s.CreateInSync();
            s.Write();
            using Load load = s.StartLoadAndSeeIt();
            s.Primary.Do("detach");
            s.WaitForWrites(load);
            load.MustEndWithoutError();
            Assert.Equal("Diskless", s.Primary.Status().Disk);
            long size = s.DeviceBytes();
            Assert.Equal(s.Secondary.Disks.Hash(Disks.Small, size), s.Primary.HashOfDevice(size));
            s.Primary.Do("attach");
            s.MustBeEqual();
            Assert.Equal(s.Secondary.Disks.Hash(Disks.Small, size), s.Primary.HashOfDevice(size));
        });

    [Theory]
    [MemberData(nameof(Variants.AllTwoShort), MemberType = typeof(Variants))]
    public void A_Secondary_that_lost_its_disk_gets_what_it_missed(Side primary, Setup setup) =>
        Scenario.Play(laboratory, primary, new Configuration { Setup = setup }, s =>
        {
            // For writes that arrive when the disk is just gone.
            s.Allow("P_NEG_ACK");
            s.CreateInSync();
            using Load load = s.StartLoadAndSeeIt();
            s.Secondary.Do("detach");
            s.WaitForWrites(load);
            s.Secondary.Do("attach");
            s.WaitForWrites(load);
            load.MustEndWithoutError();
            s.MustBeEqual();
        });

    /// <param name="answer">What the fence-peer handler returns: 4, the peer was outdated; 7, it was shot.</param>
    [Theory]
    [InlineData(Side.BlockRepl, "resource-only", 4)]
    [InlineData(Side.Kernel, "resource-only", 4)]
    [InlineData(Side.BlockRepl, "resource-and-stonith", 7)]
    [InlineData(Side.Kernel, "resource-and-stonith", 7)]
    public void A_silent_peer_is_fenced_before_the_application_goes_on(Side primary, string policy, int answer)
    {
        var configuration = new Configuration
        {
            Setup = Setup.Bare, Net = "protocol C; " + Configuration.QuickToNotice, Disk = $"fencing {policy};",
            Sections = $"handlers {{ fence-peer \"exit {answer}\"; }}",
        };
        Scenario.Play(laboratory, primary, configuration, s =>
        {
            // Its worker writes meta data, and so sleeps, where it must not, when a handler has let frozen writes go.
            s.KnowFaultOfKernel("rcu_note_context_switch");
            s.CreateInSync();
            using Load load = s.StartLoadAndSeeIt();
            s.Segment.Cut();
            s.WaitApart();
            s.Primary.WaitFor(h => h.PeerDisk == "Outdated", "the peer to be fenced");
            s.WaitForWrites(load);
            load.MustEndWithoutError();
            s.Segment.Mend();
            s.WaitConnected();
            s.MustBeEqual();
        });
    }

    [Theory]
    [InlineData(Side.BlockRepl)]
    [InlineData(Side.Kernel)]
    public void Who_takes_the_place_of_a_dead_Primary_has_it_fenced_first(Side primary) =>
        Scenario.Play(laboratory, primary, WithFencing, s =>
        {
            s.CreateInSync();
            s.Write();
            s.Primary.PowerOff();
            s.WaitApart();
            s.TakeOver();
            s.Write();
            s.Secondary.PowerOn();
            s.Secondary.Up();
            s.MustBeEqual();
            MustHaveFencedAndUnfenced(s.Primary);
        });

    /// <summary>With fencing it takes its disk only for consistent then: the peer could have newer data.</summary>
    [Theory]
    [InlineData(Side.BlockRepl)]
    [InlineData(Side.Kernel)]
    public void Who_comes_back_alone_has_its_peer_fenced_before_it_is_Primary(Side primary) =>
        Scenario.Play(laboratory, primary, WithFencing, s =>
        {
            s.CreateInSync();
            s.Write();
            s.Primary.PowerOff();
            s.Secondary.PowerOff();
            s.Secondary.PowerOn();
            s.Secondary.Up();
            s.Secondary.WaitFor(h => h.Disk == "Consistent", "the disk");
            s.TakeOver();
            Assert.Equal("UpToDate", s.Primary.Status().Disk);
            s.Write();
            s.Secondary.PowerOn();
            s.Secondary.Up();
            s.MustBeEqual();
            MustHaveFencedAndUnfenced(s.Primary);
        });

    private static Configuration WithFencing { get; } = new()
    {
        Setup = Setup.Bare, Net = "protocol C; " + Configuration.QuickToNotice, Disk = "fencing resource-only;",
        Sections = Configuration.RecordFencing(7),
    };

    private static void MustHaveFencedAndUnfenced(Host host) => Poll.Until(
        () => host.HandlersCalled() is ["fence-peer", "unfence-peer"], "the handlers", 20,
        () => string.Join(' ', host.HandlersCalled()));
}
