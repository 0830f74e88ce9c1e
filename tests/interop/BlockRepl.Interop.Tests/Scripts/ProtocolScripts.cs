using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// Protocols A, B and C, the ways of ordering writes, and what protocol A does when the network is too slow.
/// </summary>
[Trait("Category", "Interop")]
public sealed class ProtocolScripts(Laboratory laboratory)
{
    private static readonly string[] WriteOrderings =
    [
        "disk-barrier yes;", "disk-barrier no; disk-flushes yes;",
        "disk-barrier no; disk-flushes no; disk-drain yes;",
    ];

    public static TheoryData<Side, string> ProtocolsAndSides { get; } = new()
    {
        { Side.BlockRepl, "A" }, { Side.Kernel, "A" }, { Side.BlockRepl, "B" }, { Side.Kernel, "B" },
        { Side.BlockRepl, "C" }, { Side.Kernel, "C" },
    };

    [Theory]
    [MemberData(nameof(ProtocolsAndSides))]
    public void Each_protocol_with_each_way_of_ordering_writes(Side primary, string protocol)
    {
        string net = $"protocol {protocol}; " + Configuration.QuickToNotice;
        var configuration = new Configuration { Setup = Setup.Bare, Net = net, Disk = WriteOrderings[0] };
        Scenario.Play(laboratory, primary, configuration, s =>
        {
            s.Expect("P_BARRIER", "P_BARRIER_ACK");
            s.Expect(protocol switch { "B" => ["P_RECV_ACK"], "C" => ["P_WRITE_ACK"], _ => [] });
            s.CreateInSync();
            s.Write();
            s.MustBeEqual();
            foreach (string ordering in WriteOrderings.Skip(1))
            {
                s.Primary.Secondary();
                s.Reconfigure(c => c with { Disk = ordering });
                s.Primary.Primary();
                s.Write();
                s.MustBeEqual();
            }

            using Load load = s.StartLoadAndSeeIt();
            s.Segment.Cut();
            s.WaitApart();
            load.Stop();
            s.Segment.Mend();
            s.WaitConnected();
            s.MustBeEqual();
        });
    }

    [Theory]
    [Trait("Time", "Short")]
    [InlineData(Side.BlockRepl)]
    [InlineData(Side.Kernel)]
    public void When_the_network_is_congested_protocol_A_pulls_ahead_and_catches_up(Side primary)
    {
        var configuration = new Configuration
        {
            Setup = Setup.Bare,
            Net =
                "protocol A; on-congestion pull-ahead; congestion-fill 128k; congestion-extents 70; sndbuf-size 512k;",
        };
        Scenario.Play(laboratory, primary, configuration, s =>
        {
            s.Expect("P_OUT_OF_SYNC");
            s.CreateInSync();
            using Load load = s.StartLoad(new LoadShape { Streams = 8, LargestBytes = 256 << 10, FlushEvery = 0 });
            s.Primary.WaitFor(h => h.Connection == "Ahead", "Ahead");
            s.Secondary.WaitFor(h => h.Connection is "Behind" or "SyncTarget", "Behind");
            load.MustEndWithoutError();
            s.MustHoldTheSameWhenInSync();
        });
    }
}
