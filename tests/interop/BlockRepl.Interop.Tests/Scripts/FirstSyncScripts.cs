using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>A new pair: the first connection, the first sync, and ordinary writing.</summary>
[Trait("Category", "Interop")]
public sealed class FirstSyncScripts(Laboratory laboratory)
{
    [Theory]
    [MemberData(nameof(Variants.AllTwoShort), MemberType = typeof(Variants))]
    public void A_new_pair_connects_and_syncs_and_then_holds_the_same_whatever_is_written(Side primary, Setup setup) =>
        Scenario.Play(laboratory, primary, new Configuration { Setup = setup }, s =>
        {
            s.Expect("P_RS_DATA_REQUEST", "P_RS_DATA_REPLY", "P_DATA", "P_BARRIER", "P_BARRIER_ACK");
            s.CreateAndConnect();
            s.Primary.Do("primary", "--force");
            s.Primary.Write(new LoadShape { Count = 20 }, seed: 11);
            s.WaitInSync();
            s.MustBeEqual();
            s.Primary.Write(new LoadShape { Count = 60, LargestBytes = 64 << 10, FlushEvery = 7 }, seed: 12);
            s.Primary.Write(
                new LoadShape { Count = 10, LargestBytes = 1 << 20, FlushEvery = 5, Streams = 2 }, seed: 13);
            s.Primary.Write(new LoadShape { Count = 100, LargestBytes = 512, FlushEvery = 0 }, seed: 14);
            s.MustBeEqual();
        });
}
