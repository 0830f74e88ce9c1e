using System.Diagnostics;
using System.Globalization;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// A pair's bad days: roles change, links and power fail, the application writes, in an order that a seed chooses. Two
/// environment variables: BLOCKREPL_INTEROP_SOAK_SECONDS (60) and BLOCKREPL_INTEROP_SEED (chosen and printed).
/// </summary>
[Trait("Category", "Interop")]
public sealed class SoakScripts(Laboratory laboratory)
{
    private static readonly int Seconds = FromEnvironment("BLOCKREPL_INTEROP_SOAK_SECONDS", 60);
    private static readonly int Seed = FromEnvironment("BLOCKREPL_INTEROP_SEED", Environment.TickCount & 0xffff);

    private static readonly Action<Scenario, Random>[] Days =
    [
        QuietDay, RolesChange, LinkFails, LinkFails, OperatorDisconnects, SecondaryDies, SecondaryDies,
        PrimaryDiesAndComesBack, PrimaryDiesAndTheOtherTakesOver, BothDie,
    ];

    [Theory]
    [InlineData(Setup.Boards, Traits = ["Time", "Short"])]
    [InlineData(Setup.Careful)]
    public void After_many_bad_days_the_disks_are_equal_and_verify_finds_nothing(Setup setup)
    {
        TestContext.Current.SendDiagnosticMessage("seed {0}, {1} s", Seed, Seconds);
        var configuration = new Configuration { Setup = setup, Net = Configuration.QuickToNotice };
        Scenario.Play(laboratory, Seed % 2 == 0 ? Side.BlockRepl : Side.Kernel, configuration, s =>
        {
            s.Note($"BLOCKREPL_INTEROP_SEED={Seed}");
            var random = new Random(Seed);
            s.CreateInSync();
            var clock = Stopwatch.StartNew();
            do
            {
                Action<Scenario, Random> day = Days[random.Next(Days.Length)];
                s.Note(day.Method.Name);
                day(s, random);
                s.MustBeEqual();
                s.KeepRecordSmall();
            }
            while (clock.Elapsed.TotalSeconds < Seconds);
            s.Both[random.Next(2)].Do("verify");
            s.WaitForNoResync();
            s.MustBeEqual();
        });
    }

    private static LoadShape SomeShape(Random random) => new()
    {
        Streams = random.Next(1, 6),
        LargestBytes = 4096 << random.Next(0, 7),
        FlushEvery = random.Next(0, 20),
    };

    private static Load SomeLoad(Scenario s, Random random)
    {
        Load load = s.StartLoad(SomeShape(random));
        s.WaitForWrites(load, random.Next(1, 60));
        return load;
    }

    private static void StopUnharmed(Load load)
    {
        load.MustEndWithoutError();
    }

    private static void QuietDay(Scenario s, Random random)
    {
        using Load load = SomeLoad(s, random);
        StopUnharmed(load);
    }

    private static void RolesChange(Scenario s, Random random)
    {
        QuietDay(s, random);
        s.ExchangeRoles();
        QuietDay(s, random);
    }

    private static void LinkFails(Scenario s, Random random)
    {
        using Load load = SomeLoad(s, random);
        s.Segment.Cut();
        s.WaitApart();
        s.WaitForWrites(load, random.Next(1, 60));
        s.Segment.Mend();
        s.WaitConnected();
        s.WaitForWrites(load, random.Next(1, 60));
        StopUnharmed(load);
    }

    private static void OperatorDisconnects(Scenario s, Random random)
    {
        using Load load = SomeLoad(s, random);
        Host operated = s.Both[random.Next(2)];
        operated.Disconnect();
        s.WaitForWrites(load, random.Next(1, 60));
        operated.Connect();
        s.WaitConnected();
        StopUnharmed(load);
    }

    private static void SecondaryDies(Scenario s, Random random)
    {
        using Load load = SomeLoad(s, random);
        s.Secondary.PowerOff();
        s.WaitForWrites(load, random.Next(1, 60));
        s.Secondary.PowerOn();
        s.Secondary.Up();
        s.WaitConnected();
        StopUnharmed(load);
    }

    private static void PrimaryDiesAndComesBack(Scenario s, Random random)
    {
        using Load load = SomeLoad(s, random);
        s.Primary.PowerOff();
        s.Primary.PowerOn();
        s.Primary.Up();
        s.WaitConnected();
        s.WaitInSync();
        load.Stop();
        if (load is NbdLoad ours)
        {
            Assert.Empty(ours.Lost(s.Kernel.Disks.Paths[Disks.Small]));
        }

        s.Primary.Primary();
    }

    private static void PrimaryDiesAndTheOtherTakesOver(Scenario s, Random random)
    {
        using Load load = SomeLoad(s, random);
        s.Primary.PowerOff();
        s.WaitApart();
        s.TakeOver();
        load.Stop();
        if (load is NbdLoad ours)
        {
            Assert.Empty(ours.Lost(s.Kernel.Disks.Paths[Disks.Small]));
        }

        QuietDay(s, random);
        s.Secondary.PowerOn();
        s.Secondary.Up();
        s.WaitConnected();
    }

    private static void BothDie(Scenario s, Random random)
    {
        using Load load = SomeLoad(s, random);
        s.PowerLossOfBoth();
        s.WaitInSync();
        s.Primary.Primary();
    }

    private static int FromEnvironment(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int value)
            ? value
            : otherwise;
}
