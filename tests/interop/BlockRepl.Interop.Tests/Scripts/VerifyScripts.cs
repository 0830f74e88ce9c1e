using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>Online verify, resync by checksums, and both forms of the bitmap on the wire.</summary>
[Trait("Category", "Interop")]
public sealed class VerifyScripts(Laboratory laboratory)
{
    private const int DamagedBlocks = 3;

    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void Verify_finds_what_was_damaged_whoever_starts_it_and_a_reconnect_repairs_it(Side primary, Setup setup) =>
        Scenario.Play(laboratory, primary, new Configuration { Setup = setup }, s =>
        {
            s.Expect("P_OV_REQUEST", "P_OV_REPLY", "P_OV_RESULT");
            s.CreateInSync();
            s.Write();
            foreach (Host starter in s.Both)
            {
                Verify(s, starter);
                Assert.All(s.Both, h => Assert.Equal(0, h.Status().OutOfSyncKiB));
                Damage(s.Secondary);
                Verify(s, starter);
                Assert.All(s.Both, h => Assert.Equal(DamagedBlocks * 4, h.Status().OutOfSyncKiB));
                s.Secondary.Disconnect();
                s.Secondary.Connect();
                s.WaitConnected();
                s.MustBeEqual();
            }
        });

    [Theory]
    [MemberData(nameof(Variants.AllTwoShort), MemberType = typeof(Variants))]
    public void A_resync_by_checksums_sends_only_what_differs(Side primary, Setup setup) =>
        Scenario.Play(laboratory, primary, new Configuration { Setup = setup, Net = "csums-alg sha1;" }, s =>
        {
            s.Expect("P_CSUM_RS_REQUEST", "P_RS_IS_IN_SYNC", "P_RS_DATA_REPLY");
            s.CreateInSync();
            s.Write();
            s.MustBeEqual();
            Damage(s.Secondary);
            s.Secondary.Do("invalidate");
            s.MustBeEqual();
        });

    [Theory]
    [MemberData(nameof(Variants.All), MemberType = typeof(Variants))]
    public void Plain_and_compressed_bitmaps_of_several_packets_are_understood(Side primary, Setup setup)
    {
        var configuration = new Configuration { Setup = setup, Net = "use-rle no;", BackingDisk = Disks.Large };
        Scenario.Play(laboratory, primary, configuration, s =>
        {
            s.Expect("P_BITMAP", "P_COMPRESSED_BITMAP");
            s.CreateInSync();
            WriteApart(s);
            s.MustBeEqual();
            s.Primary.Secondary();
            s.Reconfigure(c => c with { Net = "use-rle yes;" });
            s.Primary.Primary();
            WriteApart(s);
            s.MustBeEqual();
        });
    }

    /// <summary>Bits all over a bitmap of nine packets.</summary>
    private static void WriteApart(Scenario s)
    {
        s.Secondary.Disconnect();
        s.Write(count: 60, largestBytes: 8 << 10);
        s.Secondary.Connect();
        s.WaitConnected();
    }

    private static void Damage(Host host)
    {
        foreach (long block in new[] { 7L, 8, 5000 })
        {
            host.Disks.Damage(Disks.Small, block);
        }
    }

    /// <summary>Both must have seen it begin, else its end could be taken for what was before.</summary>
    private static void Verify(Scenario s, Host starter)
    {
        starter.Do("verify");
        s.WaitForNoResync();
        s.Note($"{starter.Name} has verified: {starter.Status()}");
    }
}
