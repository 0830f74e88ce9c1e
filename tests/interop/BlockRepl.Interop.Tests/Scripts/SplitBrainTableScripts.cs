using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// Split brain made with real writes: who survives, what both nodes end in and which handlers they call is what two
/// kernel nodes do in the same script, see split-brain.txt.
/// </summary>
[Trait("Category", "Interop")]
public sealed class SplitBrainTableScripts(Laboratory laboratory)
{
    private const string InShortChoice = "after-sb-0pri discard-younger-primary";
    private const string QuickToMeet = "ping-int 2; timeout 19; connect-int 2;";

    /// <summary>
    /// The cases with so many Primaries, each with either as the old one. Between two kernels once, and only those
    /// without a result if there are such.
    /// </summary>
    public static TheoryData<Side, int, string> Cases(int primaries)
    {
        Side[] sides = Laboratory.HasTwoKernels ? [Side.Kernel] : [Side.BlockRepl, Side.Kernel];
        bool onlyNew = Laboratory.HasTwoKernels && SplitBrainCase.All.Any(c => c.Result == SplitBrainCase.Unknown);
        return [.. sides.SelectMany(side => SplitBrainCase.All.Index()
            .Where(c => c.Item.PrimariesLeft == primaries
                && (!onlyNew || c.Item.Result == SplitBrainCase.Unknown))
            .Select(c => Row(side, c.Index, c.Item.Policies)))];
    }

    private static TheoryDataRow<Side, int, string> Row(Side side, int number, string policies)
    {
        var row = new TheoryDataRow<Side, int, string>(side, number, policies);
        return policies == InShortChoice ? Variants.InShortChoice(row) : row;
    }

    [Theory]
    [MemberData(nameof(Cases), 0)]
    public void Without_a_Primary_it_ends_as_between_two_kernels(Side old, int number, string policies) =>
        Play(old, number, policies);

    [Theory]
    [MemberData(nameof(Cases), 1)]
    public void With_one_Primary_it_ends_as_between_two_kernels(Side old, int number, string policies) =>
        Play(old, number, policies);

    [Theory]
    [MemberData(nameof(Cases), 2)]
    public void With_two_Primaries_it_ends_as_between_two_kernels(Side old, int number, string policies) =>
        Play(old, number, policies);

    private void Play(Side old, int number, string policies)
    {
        SplitBrainCase what = SplitBrainCase.All[number];
        (string oldName, string youngName) = old == Side.Kernel ? ("kernel", "blockrepl") : ("blockrepl", "kernel");
        string net = policies
            .Replace("node-OLD", "node-" + oldName, StringComparison.Ordinal)
            .Replace("node-YOUNG", "node-" + youngName, StringComparison.Ordinal);
        var configuration = new Configuration
        {
            Setup = Setup.Bare,
            Net = $"protocol C; {QuickToMeet} {net};",
            Sections = Configuration.RecordHandlers(
                "initial-split-brain", "split-brain", "pri-lost", "pri-lost-after-sb"),
        };
        Scenario.Play(laboratory, old, configuration, s =>
        {
            string outcome = Play(s, what);
            string result = WithHandlers(s, outcome, what);
            s.Note(result);
            what.Record(result);
            if (what.Result != SplitBrainCase.Unknown)
            {
                Assert.True(what.Fits(result), $"two kernels: {what.Result}\nhere: {result}");
            }
            else if (!Laboratory.HasTwoKernels)
            {
                Assert.Fail($"two kernels have not played this; here: {result}");
            }

            if (what.Policies.EndsWith("disconnect", StringComparison.Ordinal))
            {
                SolveByHand(s);
            }
        });
    }

    private static string Play(Scenario s, SplitBrainCase what)
    {
        (Host old, Host young) = (s.Primary, s.Secondary);
        s.CreateInSync();
        s.Write();

        // A write of which it is not known yet that it is durable on the other would count as a change: now it is.
        young.Disconnect();
        young.Connect();
        s.WaitConnected();
        s.MustBeEqual();
        s.Segment.Cut();
        s.WaitApart();
        Write(old, what.OldWrites, seed: 500);
        young.Primary();
        Write(young, what.YoungWrites, seed: 501);
        foreach (Host host in s.Both.Skip(what.PrimariesLeft))
        {
            host.Secondary();
        }

        var open = new List<IDisposable>();
        try
        {
            if (what.DevicesAreOpen)
            {
                open.AddRange(s.Both.Take(what.PrimariesLeft).Select(h => h.HoldOpen()));
            }

            string oldData = old.Disks.Hash(Disks.Small, s.DeviceBytes());
            string youngData = young.Disks.Hash(Disks.Small, s.DeviceBytes());
            s.Segment.Mend();
            return Outcome(s, old, young, oldData, youngData);
        }
        finally
        {
            open.ForEach(o => o.Dispose());
        }
    }

    /// <summary>No policy decides; the operator gives up what the young one wrote.</summary>
    private static void SolveByHand(Scenario s)
    {
        (Host old, Host young) = (s.Primary, s.Secondary);
        string kept = old.Disks.Hash(Disks.Small, s.DeviceBytes());
        if (young.Status().Role == "Primary")
        {
            young.Secondary();
        }

        old.Try("connect");
        young.Try("disconnect");
        young.Do("connect", "--discard-my-data");
        s.WaitConnected();
        s.MustBeEqual();
        Assert.Equal(kept, old.Disks.Hash(Disks.Small, s.DeviceBytes()));
    }

    /// <summary>Waits for the end: both in sync, or one has given up and the other, or nobody, waits for it.</summary>
    private static string Outcome(Scenario s, Host old, Host young, string oldData, string youngData)
    {
        HostStatus one = old.Status();
        HostStatus two = young.Status();
        Poll.Until(
            () =>
            {
                one = old.Status();
                two = young.Status();
                return (one.IsInSync && two.IsInSync) || HaveGivenUp(one, two);
            },
            "the end of the split brain", 90, () => $"old {one}, young {two}");
        string roles = $"old {one.Connection} {one.Role}, young {two.Connection} {two.Role}";
        if (!one.IsInSync)
        {
            Assert.Equal(oldData, old.Disks.Hash(Disks.Small, s.DeviceBytes()));
            Assert.Equal(youngData, young.Disks.Hash(Disks.Small, s.DeviceBytes()));
            return $"nobody gives in: {roles}";
        }

        s.MustBeEqual();
        string data = old.Disks.Hash(Disks.Small, s.DeviceBytes());
        Assert.Contains(data, new[] { oldData, youngData });
        return $"{(data == oldData ? "old" : "young")} survives: {roles}";
    }

    private static bool HaveGivenUp(HostStatus one, HostStatus two)
    {
        string[] both = [one.Connection, two.Connection];
        return both.Contains("StandAlone") && both.All(c => c is "StandAlone" or "WFConnection");
    }

    /// <summary>A handler of ours may still run when the states have settled: the kernel waits for its own.</summary>
    private static string WithHandlers(Scenario s, string outcome, SplitBrainCase what)
    {
        string result = "";
        bool IsAsRecorded()
        {
            result = $"{outcome}; old calls {Called(s.Primary)}; young calls {Called(s.Secondary)}";
            return what.Result == SplitBrainCase.Unknown || what.Fits(result);
        }

        try
        {
            Poll.Until(IsAsRecorded, "handlers", seconds: 5);
        }
        catch (TimeoutException)
        {
            // What was called instead is in the result.
        }

        return result;
    }

    private static string Called(Host host) => string.Join(' ', host.HandlersCalled().DefaultIfEmpty("nothing"));

    private static void Write(Host host, int count, int seed)
    {
        if (count > 0)
        {
            host.Write(new LoadShape { Streams = 1, Count = count, LargestBytes = 4096 }, seed);
        }
    }
}
