using BlockRepl.Core.Options;

namespace BlockRepl.Core.Resync;

/// <summary>
/// Decides how many 4 KiB requests a SyncTarget (or VerifyS) sends in each step of 100 ms. Integer arithmetic; sizes in
/// sectors.
/// </summary>
public sealed class ResyncController
{
    /// <summary>Length of a step.</summary>
    public const long StepNs = 100_000_000;

    /// <summary>Starts from zero: with each P_SYNC_UUID and each verify.</summary>
    public void Reset() => throw new NotImplementedException();

    /// <summary>Data, "deallocated", "is in sync" or a verify reply came for so many sectors.</summary>
    public void OnAnswered(long sectors) => throw new NotImplementedException();

    /// <summary>So many 4 KiB units were requested; a merged request counts all of its units.</summary>
    public void OnRequested(int units) => throw new NotImplementedException();

    /// <summary>Number of 4 KiB units to request in this step; call once per 100 ms.</summary>
    public int NextStep(ResyncOptions options, int maxBuffersPages) => throw new NotImplementedException();

    /// <summary>Sectors requested and not yet answered, as of the last step.</summary>
    public long InFlightSectors => throw new NotImplementedException();

    /// <summary>The rate the controller aims at: "want" of /proc/drbd.</summary>
    public int WantKiBPerSecond => throw new NotImplementedException();
}
