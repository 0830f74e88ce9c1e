using BlockRepl.Core.Options;
using BlockRepl.Core.Resync;
using Xunit;

namespace BlockRepl.Core.Tests.Resync;

public sealed class ResyncControllerTests
{
    private const int Plenty = 131072;

    private static readonly ResyncOptions Recorded = new() { RateKiBPerSecond = 250, PlanAheadDeciseconds = 25 };

    [Fact]
    public void The_first_step_has_the_recorded_six_units()
    {
        ResyncController controller = new();

        Assert.Equal(6, controller.NextStep(Recorded, Plenty));
        Assert.Equal(240, controller.WantKiBPerSecond);
    }

    [Fact]
    public void A_fixed_rate_gives_the_recorded_steps()
    {
        ResyncController controller = new();
        ResyncOptions fixedRate = new() { RateKiBPerSecond = 2048, PlanAheadDeciseconds = 0 };

        for (int step = 0; step < 79; step++)
        {
            int units = controller.NextStep(fixedRate, Plenty);
            Assert.Equal(51, units);
            controller.OnRequested(units);
            controller.OnAnswered(units * 8L);
        }

        Assert.Equal(2048, controller.WantKiBPerSecond);
    }

    [Fact]
    public void Half_of_the_buffers_bounds_what_is_in_flight()
    {
        // As recorded: max-buffers 128, steps of 52; 12 units while 52 were unacknowledged, none while 64 were.
        ResyncController controller = new();
        ResyncOptions fixedRate = new() { RateKiBPerSecond = 2080, PlanAheadDeciseconds = 0 };

        Assert.Equal(52, controller.NextStep(fixedRate, 128));
        controller.OnRequested(52);
        Assert.Equal(12, controller.NextStep(fixedRate, 128));
        controller.OnRequested(12);
        Assert.Equal(0, controller.NextStep(fixedRate, 128));
        controller.OnRequested(1);
        Assert.Equal(0, controller.NextStep(fixedRate, 128));
        controller.OnAnswered(65 * 8);
        Assert.Equal(52, controller.NextStep(fixedRate, 128));
        Assert.Equal(0, controller.InFlightSectors);
    }

    [Fact]
    public void The_share_of_the_first_correction_comes_in_every_planned_step()
    {
        // Nothing answered: what is in flight must come up to the plan, then nothing more is asked for.
        ResyncController controller = new();
        ResyncOptions options = Recorded with { FillTargetSectors = 1250 };
        int total = 0;
        for (int step = 0; step < 60; step++)
        {
            int units = controller.NextStep(options, Plenty);
            controller.OnRequested(units);
            total += units;
        }

        Assert.InRange(total * 8, 1100, 1250);
    }

    [Fact]
    public void A_peer_that_answers_at_once_is_asked_faster_up_to_the_maximum()
    {
        ResyncController controller = new();
        ResyncOptions options = new() { FillTargetSectors = 0, MaxRateKiBPerSecond = 40_000 };
        int units = 0;
        for (int step = 0; step < 300; step++)
        {
            units = controller.NextStep(options, Plenty);
            controller.OnRequested(units);
            controller.OnAnswered(units * 8L);
        }

        Assert.Equal(1000, units);
        Assert.Equal(40_000, controller.WantKiBPerSecond);
    }

    [Fact]
    public void The_fill_target_is_what_stays_in_flight()
    {
        // Answers take two steps.
        ResyncController controller = new();
        ResyncOptions options = new() { FillTargetSectors = 800, MaxRateKiBPerSecond = 1_000_000 };
        int[] inFlight = new int[2];
        long waiting = 0;
        for (int step = 0; step < 400; step++)
        {
            controller.OnAnswered(inFlight[step % 2] * 8L);
            int units = controller.NextStep(options, Plenty);
            waiting = controller.InFlightSectors;
            controller.OnRequested(units);
            inFlight[step % 2] = units;
        }

        // Rounding down to whole units and to whole shares of a correction leaves it a little below.
        Assert.InRange(waiting, 700, 800);
    }

    [Fact]
    public void A_reset_forgets_requests_that_were_cancelled()
    {
        ResyncController controller = new();
        controller.OnRequested(controller.NextStep(Recorded, Plenty));
        controller.NextStep(Recorded, Plenty);

        controller.Reset();

        Assert.Equal(0, controller.InFlightSectors);
        Assert.Equal(6, controller.NextStep(Recorded, Plenty));
    }

    [Fact]
    public void Another_plan_length_starts_a_new_plan()
    {
        ResyncController controller = new();
        controller.NextStep(Recorded, Plenty);

        Assert.Equal(6, controller.NextStep(Recorded with { PlanAheadDeciseconds = 20 }, Plenty));
        Assert.Equal(6, controller.NextStep(Recorded with { PlanAheadDeciseconds = 0 }, Plenty));
    }

    [Fact]
    public void Any_settings_and_answers_keep_a_step_in_its_bounds() => Seeded.Run(1, 2_000, random =>
    {
        ResyncController controller = new();
        ResyncOptions options = new()
        {
            RateKiBPerSecond = random.Next(1, 4 << 20),
            PlanAheadDeciseconds = random.Next(0, 301),
            DelayTargetDeciseconds = random.Next(1, 101),
            FillTargetSectors = random.Next(3) == 0 ? 0 : random.Next(0, 1 << 20),
            MaxRateKiBPerSecond = random.Next(250, 4 << 20),
        };
        int buffers = random.Next(32, 131073);
        long outstanding = 0;
        for (int step = 0; step < 50; step++)
        {
            int units = controller.NextStep(options, buffers);
            Assert.InRange(units, 0, buffers / 2);
            controller.OnRequested(units);
            outstanding += units;
            long answered = (long)(random.NextDouble() * outstanding);
            outstanding -= answered;
            controller.OnAnswered(answered * 8);
        }
    });
}
