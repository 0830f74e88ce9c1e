using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>After a crash the disks are exchanged: each software finds what the other left.</summary>
[Trait("Category", "Interop")]
public sealed class CardSwapScripts(Laboratory laboratory)
{
    private static readonly string[] Stripes = ["--al-stripes=4", "--al-stripe-size-kB=64"];

    public static TheoryData<Side, bool, bool, Setup> Layouts { get; } = MakeLayouts();

    /// <param name="external">The meta data are on a disk of their own.</param>
    /// <param name="stripes">The activity log has stripes.</param>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void A_crashed_Primarys_disk_is_recovered_by_the_other_software(
        Side primary, bool external, bool stripes, Setup setup)
    {
        var configuration = new Configuration
        {
            Setup = setup, BackingDisk = Disks.Large, MetaDisk = external ? Disks.Meta : null,
            Net = Configuration.QuickToNotice,
        };
        Scenario.Play(laboratory, primary, configuration, s =>
        {
            s.MetaDataOptions = stripes ? Stripes : [];
            s.CreateInSync();
            using Load load = s.StartLoadAndSeeIt(new LoadShape { From = 40 << 20, Length = 24 << 20 });
            s.Primary.PowerOff();
            s.Secondary.PowerOff();
            foreach (int disk in external ? new[] { Disks.Large, Disks.Meta } : [Disks.Large])
            {
                Disks.Swap(s.BlockRepl.Disks, s.Kernel.Disks, disk);
            }

            s.Secondary.PowerOn();
            s.Secondary.Up();
            s.Secondary.WaitFor(h => h.Disk is "UpToDate" or "Consistent", "attached disk");
            Assert.InRange(s.Secondary.Status().OutOfSyncKiB, 4096, 7 * 4096);
            if (load is NbdLoad ours)
            {
                load.Stop();
                Assert.Empty(ours.Lost(s.Kernel.Disks.Paths[Disks.Large]));
            }

            s.Primary.PowerOn();
            s.Primary.Up();
            s.WaitConnected();
            s.MustBeEqual();
            s.TakeOver();
            s.Write();
            s.MustBeEqual();
        });
    }

    private static TheoryData<Side, bool, bool, Setup> MakeLayouts()
    {
        var layouts = new TheoryData<Side, bool, bool, Setup>();
        foreach (Setup setup in new[] { Setup.Careful, Setup.Boards })
        {
            foreach ((bool external, bool stripes) in new[] { (false, false), (true, false), (false, true) })
            {
                foreach (Side side in new[] { Side.BlockRepl, Side.Kernel })
                {
                    var row = new TheoryDataRow<Side, bool, bool, Setup>(side, external, stripes, setup);
                    bool isShort = setup == Setup.Boards && !external && !stripes;
                    layouts.Add(isShort ? Variants.InShortChoice(row) : row);
                }
            }
        }

        return layouts;
    }
}
