using System.Diagnostics;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>The network fails while the Primary is written to, in the ways that networks fail.</summary>
[Trait("Category", "Interop")]
public sealed class NetworkLossScripts(Laboratory laboratory)
{
    /// <summary>
    /// Ping interval, its time-out, the time-out for acknowledgements, and the slowness of a shared machine.
    /// </summary>
    private const int NoticeSeconds = 2 + 2 + 2 + 14;

    [Theory]
    [MemberData(nameof(Variants.AllTwoShort), MemberType = typeof(Variants))]
    public void A_cut_link_is_noticed_and_what_was_written_meanwhile_follows(Side primary, Setup setup) =>
        Play(primary, setup, s =>
        {
            using Load load = s.StartLoadAndSeeIt();
            s.Segment.Cut();
            s.WaitApart(NoticeSeconds);
            s.WaitForWrites(load);
            load.MustEndWithoutError();
            s.Segment.Mend();
            s.WaitConnected();
            s.MustBeEqual();
        });

    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void Silence_of_one_direction_is_noticed_by_both(Side primary, Setup setup) =>
        Play(primary, setup, s =>
        {
            foreach (Host silent in new[] { s.Secondary, s.Primary })
            {
                using Load load = s.StartLoadAndSeeIt();
                silent.Silence();
                s.Note($"{silent.Name} is not heard");
                s.WaitApart(NoticeSeconds);
                s.WaitForWrites(load);
                silent.EndSilence();
                s.WaitConnected();
                load.MustEndWithoutError();
                s.MustBeEqual();
            }
        });

    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void The_end_of_one_of_the_two_sockets_ends_both_and_they_come_back(Side primary, Setup setup) =>
        Play(primary, setup, s =>
        {
            using Load load = s.StartLoadAndSeeIt();
            for (int socket = 0; socket < 2; socket++)
            {
                string[] before = s.Kernel.Sockets();
                s.Kernel.ResetSocket(socket);
                Poll.Until(
                    () => s.Kernel.Sockets() is { Length: 2 } now && !now.Intersect(before).Any(),
                    "two new sockets", NoticeSeconds, () => string.Join(", ", s.Kernel.Sockets()));
                s.WaitConnected();
                s.WaitForWrites(load);
                s.WaitForNoResync();
            }

            load.MustEndWithoutError();
            s.MustBeEqual();
        });

    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void A_Secondary_that_started_anew_finds_a_Primary_that_still_believes_in_the_old_connection(
        Side primary, Setup setup) =>
        Play(primary, setup, s =>
        {
            using Load load = s.StartLoadAndSeeIt();
            s.Segment.Cut();
            s.Secondary.PowerOff();
            s.Segment.Mend();
            s.Secondary.PowerOn();
            s.Secondary.Up();
            s.WaitConnected();
            load.MustEndWithoutError();
            s.MustBeEqual();
        });

    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void An_interrupted_resync_goes_on_where_it_was_while_the_application_writes(Side primary, Setup setup) =>
        Play(primary, setup, disk: "c-plan-ahead 0; resync-rate 2M;", play: s =>
        {
            s.Secondary.Disconnect();
            s.Write(count: 20, largestBytes: 1 << 20);
            long before = s.Primary.Status().OutOfSyncKiB;
            s.Secondary.Connect();
            s.Primary.WaitFor(
                h => h.Connection == "SyncSource" && h.OutOfSyncKiB < before * 3 / 4, "a quarter of the resync");
            s.Segment.Cut();
            s.WaitApart(NoticeSeconds);
            long left = s.Primary.Status().OutOfSyncKiB;
            Assert.InRange(left, 1, before - 1);
            s.Segment.Mend();
            s.WaitConnected();
            using Load load = s.StartLoadAndSeeIt(new LoadShape { Streams = 2, LargestBytes = 16 << 10 });
            s.WaitForNoResync();
            load.MustEndWithoutError();
            s.MustBeEqual();
        });

    private void Play(Side primary, Setup setup, Action<Scenario> play, string disk = "")
    {
        var configuration = new Configuration { Setup = setup, Net = Configuration.QuickToNotice, Disk = disk };
        Scenario.Play(laboratory, primary, configuration, s =>
        {
            s.CreateInSync();
            play(s);
        });
    }
}
