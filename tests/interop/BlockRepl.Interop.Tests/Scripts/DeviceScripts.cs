using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>Discards, sizes, volumes, addresses.</summary>
[Trait("Category", "Interop")]
public sealed class DeviceScripts(Laboratory laboratory)
{
    [Theory]
    [MemberData(nameof(Variants.AllTwoShort), MemberType = typeof(Variants))]
    public void Discards_are_replicated_and_a_thin_resync_repeats_them(Side primary, Setup setup)
    {
        var configuration = new Configuration { Setup = setup, Disk = "rs-discard-granularity 65536;" };
        Scenario.Play(laboratory, primary, configuration, s =>
        {
            s.Expect("P_TRIM", "P_RS_THIN_REQ", "P_RS_DEALLOCATED");
            s.CreateInSync();
            s.Write(count: 20, largestBytes: 1 << 20);
            s.Primary.Discard(4 << 20, 3 << 20);
            s.Primary.Discard((9 << 20) + 4096, 12288);
            s.MustBeEqual();
            s.Secondary.Disconnect();
            s.Primary.Discard(16 << 20, 4 << 20);
            s.Secondary.Connect();
            s.WaitConnected();
            s.MustBeEqual();
        });
    }

    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void The_smaller_disk_gives_the_size(Side primary, Setup setup)
    {
        var configuration = new Configuration { Setup = setup, OurBackingDisk = Disks.Second };
        Scenario.Play(laboratory, primary, configuration, s =>
        {
            s.CreateInSync();
            Assert.InRange(s.DeviceBytes(), 23 << 20, 24 << 20);
            s.Write();
            s.MustBeEqual();
        });
    }

    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void Two_volumes_over_internet_protocol_6(Side primary, Setup setup)
    {
        var configuration = new Configuration
        {
            Setup = setup, SecondVolumeDisk = Disks.Second, InternetProtocol6 = true, Net = Configuration.QuickToNotice,
        };
        Scenario.Play(laboratory, primary, configuration, s =>
        {
            s.CreateAndConnect();
            s.Primary.Do("primary", "--force");
            s.Primary.Write(new LoadShape { Count = 30 }, seed: 60, volume: 1);
            s.Write();
            s.MustBeEqualInVolumes(2);
            s.Secondary.Disconnect();
            s.Primary.Write(new LoadShape { Count = 30 }, seed: 61, volume: 1);
            s.Write();
            s.Secondary.Connect();
            s.MustBeEqualInVolumes(2);
        });
    }
}
