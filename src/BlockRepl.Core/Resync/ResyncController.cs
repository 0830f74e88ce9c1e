using BlockRepl.Core.Options;

namespace BlockRepl.Core.Resync;

/// <summary>
/// Decides how many 4 KiB requests a SyncTarget (or VerifyS) sends in each step of 100 ms. Integer arithmetic; sizes in
/// sectors. Without c-plan-ahead the rate is fixed; else the difference between what should be in flight and what is,
/// or is planned to be, is spread over the next c-plan-ahead steps.
/// </summary>
public sealed class ResyncController
{
    /// <summary>Length of a step.</summary>
    public const long StepNs = 100_000_000;

    private const int StepsPerSecond = 10;
    private const int SectorsPerUnit = 8;
    private const int SectorsPerKiB = 2;
    private const int KiBPerUnit = 4;

    /// <summary>Corrections of the coming steps; the oldest is at <see cref="_oldest"/>.</summary>
    private int[] _plan = [];
    private int _oldest;
    private long _planSum;
    private long _inFlight;
    private long _answered;

    /// <summary>Sectors requested and not yet answered, as of the last step.</summary>
    public long InFlightSectors => _inFlight;

    /// <summary>The rate the controller aims at: "want" of /proc/drbd.</summary>
    public int WantKiBPerSecond { get; private set; }

    /// <summary>Number of 4 KiB units to request in this step; call once per 100 ms.</summary>
    public int NextStep(ResyncOptions options, int maxBuffersPages)
    {
        long answered = _answered;
        _answered = 0;
        _inFlight -= answered;

        long units;
        if (options.PlanAheadDeciseconds == 0)
        {
            WantKiBPerSecond = options.RateKiBPerSecond;
            units = options.RateKiBPerSecond / (KiBPerUnit * StepsPerSecond);
        }
        else
        {
            units = PlannedSectors(options, answered) / SectorsPerUnit;
            WantKiBPerSecond = (int)Math.Min(units * KiBPerUnit * StepsPerSecond, int.MaxValue);
        }

        // Half of the buffers are for the application's writes.
        long room = (maxBuffersPages / 2) - (_inFlight / SectorsPerUnit);
        return (int)Math.Max(0, Math.Min(units, room));
    }

    /// <summary>So many 4 KiB units were requested; a merged request counts all of its units.</summary>
    public void OnRequested(int units) => _inFlight += (long)units * SectorsPerUnit;

    /// <summary>Data, "deallocated", "is in sync" or a verify reply came for so many sectors.</summary>
    public void OnAnswered(long sectors) => _answered += sectors;

    /// <summary>Starts from zero: with each P_SYNC_UUID and each verify.</summary>
    public void Reset()
    {
        Array.Clear(_plan);
        _oldest = 0;
        _planSum = 0;
        _inFlight = 0;
        _answered = 0;
        WantKiBPerSecond = 0;
    }

    private long PlannedSectors(ResyncOptions options, long answered)
    {
        int slots = options.PlanAheadDeciseconds;
        if (_plan.Length != slots)
        {
            _plan = new int[slots];
            _oldest = 0;
            _planSum = 0;
        }

        long correction = WantedInFlight(options, answered) - _inFlight - _planSum;
        int share = (int)Math.Clamp(correction / slots, int.MinValue / 2, int.MaxValue / 2);
        for (int i = 0; i < slots; i++)
        {
            _plan[i] = (int)Math.Clamp((long)_plan[i] + share, int.MinValue / 2, int.MaxValue / 2);
        }

        int now = _plan[_oldest];
        _plan[_oldest] = 0;
        _oldest = (_oldest + 1) % slots;
        _planSum = SumOfPlan();

        long most = (long)options.MaxRateKiBPerSecond * SectorsPerKiB / StepsPerSecond;
        return Math.Clamp(answered + now, 0, most);
    }

    private long WantedInFlight(ResyncOptions options, long answered)
    {
        if (_inFlight == 0 && answered == 0)
        {
            long perStep = (long)options.RateKiBPerSecond * SectorsPerKiB / StepsPerSecond;
            return perStep * options.PlanAheadDeciseconds;
        }

        return options.FillTargetSectors != 0
            ? options.FillTargetSectors
            : answered * options.DelayTargetDeciseconds;
    }

    private long SumOfPlan()
    {
        long sum = 0;
        foreach (int correction in _plan)
        {
            sum += correction;
        }

        return sum;
    }
}
