using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>The Primary's role moves: in order, after an orderly end, after a crash.</summary>
[Trait("Category", "Interop")]
public sealed class RoleChangeScripts(Laboratory laboratory)
{
    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void After_a_skipped_first_sync_the_role_goes_to_and_fro(Side primary, Setup setup) =>
        Scenario.Play(laboratory, primary, new Configuration { Setup = setup }, s =>
        {
            s.CreateInSync();
            for (int round = 0; round < 2; round++)
            {
                using Load load = s.StartLoadAndSeeIt();
                Assert.False(s.Primary.Try("secondary").Succeeded, "a node gave up its role while its device was open");
                Assert.False(s.Secondary.Try("primary").Succeeded, "there are two Primaries");
                load.Stop();
                s.ExchangeRoles();
            }

            s.Write();
            s.MustBeEqual();
        });

    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void After_an_orderly_end_of_the_Primary_the_other_takes_over_and_brings_it_up_to_date_later(
        Side primary, Setup setup) =>
        Scenario.Play(laboratory, primary, new Configuration { Setup = setup }, s =>
        {
            s.CreateInSync();
            s.Write();
            s.Primary.Down();
            s.Secondary.WaitFor(h => !h.IsConnected, "the peer's goodbye");
            s.TakeOver();
            s.Write();
            s.Secondary.Up();
            s.MustBeEqual();
            s.ExchangeRoles();
            s.Write();
            s.MustBeEqual();
        });

    /// <summary>Limits change under what runs; what nodes agree on changes with a connection.</summary>
    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void Options_change_under_a_running_Primary(Side primary, Setup setup) =>
        Scenario.Play(laboratory, primary, new Configuration { Setup = setup }, s =>
        {
            s.Allow("P_PROTOCOL_UPDATE");
            s.CreateInSync();
            using Load load = s.StartLoadAndSeeIt();
            s.Adjust(c => c with { Net = "ping-int 7; ko-count 9;", Disk = "c-delay-target 20;" });
            Assert.All(s.Both, host => Assert.True(host.Status().IsConnected, $"{host.Name}: {host.Status()}"));
            s.WaitForWrites(load);
            s.Adjust(c => c with { Net = c.Net + " csums-alg sha1;" });
            s.WaitConnected();
            s.WaitForWrites(load);
            load.MustEndWithoutError();
            s.MustBeEqual();
        });

    [Theory]
    [MemberData(nameof(Variants.AllTwoShort), MemberType = typeof(Variants))]
    public void After_a_crash_of_the_Primary_the_other_takes_over_with_all_that_was_answered(
        Side primary, Setup setup) =>
        Scenario.Play(laboratory, primary, new Configuration { Setup = setup, Net = Configuration.QuickToNotice }, s =>
        {
            s.CreateInSync();
            using Load load = s.StartLoadAndSeeIt();
            s.Primary.PowerOff();
            s.Note("the Primary has no power");
            s.WaitApart();
            load.Stop();
            s.TakeOver();
            if (load is NbdLoad ours)
            {
                Assert.Empty(ours.Lost(s.Kernel.Disks.Paths[Disks.Small]));
            }

            s.Write();
            s.Secondary.PowerOn();
            s.Secondary.Up();
            s.MustBeEqual();
        });
}
