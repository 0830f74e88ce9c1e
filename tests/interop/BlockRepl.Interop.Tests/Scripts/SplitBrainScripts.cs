using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>Who was right after both were written to while apart.</summary>
public enum Survivor
{
    /// <summary>Nobody: both are StandAlone until the operator decides.</summary>
    Nobody,

    /// <summary>The node that was Primary when the network failed.</summary>
    Old,

    /// <summary>The node that became Primary while they were apart.</summary>
    New,
}

/// <summary>Split brain made with real writes, and the policies that solve it.</summary>
[Trait("Category", "Interop")]
public sealed class SplitBrainScripts(Laboratory laboratory)
{
    private const int Few = 2;
    private const int Many = 30;

    /// <summary>
    /// Role, policies, writes of the old and of the new Primary, how many stay Primary, who must survive.
    /// </summary>
    public static TheoryData<Side, string, int, int, int, Survivor> Policies { get; } = BothWays(
    [
        ("after-sb-0pri disconnect;", Many, Few, 0, Survivor.Nobody),
        ("after-sb-0pri discard-younger-primary;", Few, Many, 0, Survivor.Old),
        ("after-sb-0pri discard-older-primary;", Many, Few, 0, Survivor.New),
        ("after-sb-0pri discard-least-changes;", Many, Few, 0, Survivor.Old),
        ("after-sb-0pri discard-least-changes;", Few, Many, 0, Survivor.New),
        ("after-sb-0pri discard-zero-changes;", Many, 0, 0, Survivor.Old),
        ("after-sb-0pri discard-zero-changes;", Many, Few, 0, Survivor.Nobody),
        ("after-sb-1pri disconnect;", Many, Few, 1, Survivor.Nobody),
        ("after-sb-1pri discard-secondary;", Few, Many, 1, Survivor.Old),
        ("after-sb-0pri discard-least-changes; after-sb-1pri consensus;", Many, Few, 1, Survivor.Old),
        ("after-sb-0pri discard-least-changes; after-sb-1pri consensus;", Few, Many, 1, Survivor.Nobody),
        (
            "after-sb-0pri discard-younger-primary; after-sb-1pri discard-secondary; after-sb-2pri disconnect;",
            Few, Few, 2, Survivor.Nobody),
    ]);

    [Theory]
    [MemberData(nameof(Policies))]
    public void Both_come_to_the_verdict_of_the_policy_and_nothing_of_the_survivor_is_lost(
        Side primary, string policy, int oldWrites, int newWrites, int stayPrimary, Survivor survivor)
    {
        var configuration =
            new Configuration { Setup = Setup.Bare, Net = "protocol C; " + Configuration.QuickToNotice + policy };
        Scenario.Play(laboratory, primary, configuration, s =>
        {
            s.CreateInSync();
            s.Write();
            (Host old, Host young) = (s.Primary, s.Secondary);
            s.Segment.Cut();
            s.WaitApart();
            WriteBlocks(old, oldWrites, seed: 500);
            young.Primary();
            WriteBlocks(young, newWrites, seed: 501);
            foreach (Host host in s.Both.Skip(stayPrimary))
            {
                host.Secondary();
            }

            string oldData = old.Disks.Hash(Disks.Small, s.DeviceBytes());
            string youngData = young.Disks.Hash(Disks.Small, s.DeviceBytes());
            s.Segment.Mend();
            if (survivor == Survivor.Nobody)
            {
                s.MustStayApart();
                SolveByHand(old, young, stayPrimary);
                survivor = Survivor.Old;
            }

            s.WaitConnected();
            s.MustBeEqual();
            string kept = survivor == Survivor.Old ? oldData : youngData;
            Assert.Equal(kept, old.Disks.Hash(Disks.Small, s.DeviceBytes()));
        });
    }

    /// <summary>The operator gives up what the young one wrote.</summary>
    private static void SolveByHand(Host old, Host young, int stayPrimary)
    {
        if (stayPrimary == 2)
        {
            young.Secondary();
        }

        old.Try("connect");
        young.Try("disconnect");
        young.Do("connect", "--discard-my-data");
    }

    private static void WriteBlocks(Host host, int count, int seed)
    {
        if (count > 0)
        {
            host.Write(new LoadShape { Streams = 1, Count = count, LargestBytes = 4096 }, seed);
        }
    }

    private static TheoryData<Side, string, int, int, int, Survivor> BothWays((string, int, int, int, Survivor)[] rows)
    {
        var data = new TheoryData<Side, string, int, int, int, Survivor>();
        foreach ((string policy, int oldWrites, int newWrites, int stayPrimary, Survivor survivor) in rows)
        {
            data.Add(Side.BlockRepl, policy, oldWrites, newWrites, stayPrimary, survivor);
            data.Add(Side.Kernel, policy, oldWrites, newWrites, stayPrimary, survivor);
        }

        return data;
    }
}
