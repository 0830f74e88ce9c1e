using System.Globalization;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Watch;

/// <summary>What the command "watch" has found out and gives the daemon's process as a variable.</summary>
/// <param name="Timeouts">Those of the first device.</param>
/// <param name="ClusterInputs">What can be asked on this machine beside the devices.</param>
internal sealed record DaemonPlan(Timeouts Timeouts, IReadOnlyList<InputKind> ClusterInputs)
{
    public static DaemonPlan Parse(string text)
    {
        var words = text.Split(',');
        var numbers = words.Take(4).Select(n => uint.Parse(n, CultureInfo.InvariantCulture)).ToArray();
        return new DaemonPlan(
            new Timeouts(numbers[0], numbers[1], numbers[2], numbers[3]),
            [.. words.Skip(4).Select(Enum.Parse<InputKind>)]);
    }

    public override string ToString() => string.Join(
        ',',
        [
            .. new[] { Timeouts.Watchdog, Timeouts.Allocate, Timeouts.Loop, Timeouts.MessageWait }
                .Select(n => n.ToString(CultureInfo.InvariantCulture)),
            .. ClusterInputs.Select(kind => kind.ToString()),
        ]);
}
