using System.Globalization;
using BlockRepl.Configuration.Options;
using BlockRepl.Configuration.Syntax;
using BlockRepl.Core.Options;

namespace BlockRepl.Configuration.Resolution;

/// <summary>The disk options of one volume, from their merged values; what is not given keeps DRBD's default.</summary>
internal sealed class DiskOptionsBuilder(
    ConfigurationSyntax syntax, ResourceSyntax resource, HostSyntax own, int volume, List<string> warnings)
{
    private static readonly DiskOptions Default = new();

    public DiskOptions Build(OptionSet set) => new()
    {
        SizeSectors = (ulong)set.Number("size", 0),
        OnIoError = (OnIoError)set.Number("on-io-error", (int)Default.OnIoError),
        Fencing = (FencingPolicy)set.Number("fencing", (int)Default.Fencing),
        DiskBarrier = set.Flag("disk-barrier", Default.DiskBarrier),
        DiskFlushes = set.Flag("disk-flushes", Default.DiskFlushes),
        DiskDrain = set.Flag("disk-drain", Default.DiskDrain),
        MetaDataFlushes = set.Flag("md-flushes", Default.MetaDataFlushes),
        ActivityLogUpdates = set.Flag("al-updates", Default.ActivityLogUpdates),
        ActivityLogExtents = set.Integer("al-extents", Default.ActivityLogExtents),
        Resync = BuildResync(set),
        ResyncAfterVolume = set.Find("resync-after") is { } after ? FindDependency(after) : -1,
        DiskTimeoutDeciseconds = set.Integer("disk-timeout", 0),
        ReadBalancing = (ReadBalancing)set.Number("read-balancing", (int)Default.ReadBalancing),
        ResyncDiscardGranularityBytes = set.Integer("rs-discard-granularity", 0),
        DiscardZeroesIfAligned = set.Flag("discard-zeroes-if-aligned", Default.DiscardZeroesIfAligned),
    };

    private static ResyncOptions BuildResync(OptionSet set) => new()
    {
        RateKiBPerSecond = set.Integer("resync-rate", Default.Resync.RateKiBPerSecond),
        PlanAheadDeciseconds = set.Integer("c-plan-ahead", Default.Resync.PlanAheadDeciseconds),
        DelayTargetDeciseconds = set.Integer("c-delay-target", Default.Resync.DelayTargetDeciseconds),
        FillTargetSectors = set.Integer("c-fill-target", Default.Resync.FillTargetSectors),
        MaxRateKiBPerSecond = set.Integer("c-max-rate", Default.Resync.MaxRateKiBPerSecond),
        MinRateKiBPerSecond = set.Integer("c-min-rate", Default.Resync.MinRateKiBPerSecond),
    };

    /// <summary>Resolves <c>RESOURCE</c> (its volume 0) or <c>RESOURCE/VOLUME</c>.</summary>
    private int FindDependency(OptionValue after)
    {
        if (after.Text == "-1")
        {
            return -1;
        }

        int slash = after.Text.IndexOf('/', StringComparison.Ordinal);
        string name = slash < 0 ? after.Text : after.Text[..slash];
        int number = 0;
        if (slash >= 0
            && !int.TryParse(after.Text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out number))
        {
            throw new ConfigurationException(
                after.Position, $"resync-after {OptionReader.Shorten(after.Text)}: write RESOURCE or RESOURCE/VOLUME.");
        }

        if (name != resource.Name)
        {
            bool known = syntax.Find(name) is not null;
            warnings.Add(
                $"{after.Position}: resync-after {OptionReader.Shorten(after.Text)} has no effect: "
                + (known
                    ? "dependencies between different resources are not supported."
                    : "there is no such resource."));
            return -1;
        }

        if (!own.Volumes.All.ContainsKey(number) || number == volume)
        {
            throw new ConfigurationException(
                after.Position,
                $"(132) resync-after {OptionReader.Shorten(after.Text)}: must name another volume of this resource.");
        }

        return number;
    }
}
