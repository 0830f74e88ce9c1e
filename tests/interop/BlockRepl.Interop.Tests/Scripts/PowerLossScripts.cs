using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// Power fails while the Primary is written to. The disk is large and the application uses a small part of it, so that
/// a resync of all would show.
/// </summary>
[Trait("Category", "Interop")]
public sealed class PowerLossScripts(Laboratory laboratory)
{
    private const long ExtentKiB = 4096;
    private static readonly LoadShape InSixExtents = new() { From = 100 << 20, Length = 24 << 20 };

    /// <summary>Extents that the range can touch.</summary>
    private const long TouchedKiB = 7 * ExtentKiB;

    [Theory]
    [MemberData(nameof(Variants.AllTwoShort), MemberType = typeof(Variants))]
    public void A_crashed_Primary_knows_by_its_activity_log_what_may_differ(Side primary, Setup setup) =>
        Play(primary, setup, s =>
        {
            using Load load = s.StartLoadAndSeeIt(InSixExtents);
            s.Primary.PowerOff();
            s.Segment.Cut();
            s.Primary.PowerOn();
            s.Primary.Up();
            s.Primary.WaitFor(h => h.Disk is "UpToDate" or "Consistent", "attached disk");
            long marked = s.Primary.Status().OutOfSyncKiB;
            s.Note($"{marked} KiB are marked by the activity log");
            Assert.InRange(marked, ExtentKiB, TouchedKiB);
            List<long> different = s.DifferentBlocks();
            s.Note($"{different.Count} blocks really differ");
            Assert.All(
                different,
                b => Assert.InRange(b * 4096, InSixExtents.From, InSixExtents.From + InSixExtents.Length - 1));
            s.Segment.Mend();
            s.WaitConnected();
            s.MustBeEqual();
            MustHaveWhatWasAnswered(s, load);
        });

    /// <summary>Ours only: with a kernel the module goes when the machine goes.</summary>
    [Theory]
    [InlineData(Setup.Boards)]
    [InlineData(Setup.Careful)]
    public void A_Primary_whose_daemon_alone_was_killed_resyncs_the_writes_under_way(Setup setup)
    {
        Assert.SkipWhen(Laboratory.HasTwoKernels, "a script for our daemon");
        Play(Side.BlockRepl, setup, s =>
        {
            using Load load = s.StartLoadAndSeeIt(InSixExtents);
            ((BlockReplHost)s.Primary).KillDaemon();
            s.Segment.Cut();
            s.Primary.PowerOn();
            s.Primary.Up();
            s.Primary.WaitFor(h => h.Disk is "UpToDate" or "Consistent", "attached disk");
            long marked = s.Primary.Status().OutOfSyncKiB;
            s.Note($"{marked} KiB are marked, {s.DifferentBlocks().Count} blocks really differ");
            Assert.InRange(marked, 0, ExtentKiB - 1);
            s.Segment.Mend();
            s.WaitConnected();
            s.MustBeEqual();
            MustHaveWhatWasAnswered(s, load);
        });
    }

    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void A_crashed_Secondary_gets_what_it_missed_and_no_more(Side primary, Setup setup) =>
        Play(primary, setup, s =>
        {
            using Load load = s.StartLoadAndSeeIt(InSixExtents);
            s.Secondary.PowerOff();
            s.WaitApart();
            s.WaitForWrites(load);
            load.MustEndWithoutError();
            Assert.InRange(s.Primary.Status().OutOfSyncKiB, 4, InSixExtents.Length / 1024);
            s.Secondary.PowerOn();
            s.Secondary.Up();
            s.WaitConnected();
            s.MustBeEqual();
            MustHaveWhatWasAnswered(s, load);
        });

    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void When_both_lose_power_the_Primarys_data_win(Side primary, Setup setup) =>
        Play(primary, setup, s =>
        {
            using Load load = s.StartLoadAndSeeIt(InSixExtents);
            s.PowerLossOfBoth();
            s.MustBeEqual();
            MustHaveWhatWasAnswered(s, load);
            s.Primary.Primary();
            s.Write();
            s.MustBeEqual();
        });

    private static void MustHaveWhatWasAnswered(Scenario s, Load load)
    {
        load.Stop();
        if (load is NbdLoad ours)
        {
            Assert.Empty(ours.Lost(s.Kernel.Disks.Paths[Disks.Large]));
        }
    }

    private void Play(Side primary, Setup setup, Action<Scenario> play)
    {
        var configuration = new Configuration
        {
            Setup = setup, Net = Configuration.QuickToNotice, BackingDisk = Disks.Large,
        };
        Scenario.Play(laboratory, primary, configuration, s =>
        {
            s.CreateInSync();
            play(s);
        });
    }
}
