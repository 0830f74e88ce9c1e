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
}
