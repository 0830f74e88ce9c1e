using System.Globalization;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Watch;

/// <summary>One look of blockrepl-cluster, as text (native/src/cluster_main.c), to a verdict.</summary>
internal sealed class ClusterLook(PacemakerJudge pacemaker, CorosyncJudge corosync, string nodeName)
{
    /// <summary>The last line of each look.</summary>
    public const string End = "end";

    /// <param name="first">The look's first line.</param>
    /// <param name="rest">What crm_mon has printed.</param>
    /// <returns>When the look began, and what it says; null if the line is none.</returns>
    public (long BeganNs, HealthVerdict Verdict)? Judge(string first, string rest)
    {
        var words = first.Split(' ');
        var numbers = words.Select(word =>
            long.TryParse(word, CultureInfo.InvariantCulture, out var number) ? number : -1).ToArray();
        if (words is not ["look", _, var what, ..] || numbers[1] < 0)
        {
            return null;
        }

        return (numbers[1], what switch
        {
            "pacemakerd" when words.Length == 5 =>
                pacemaker.Judge((PacemakerdState)numbers[3], numbers[4], ParseNode(rest, nodeName)),
            "corosync" when words.Length == 6 =>
                corosync.Judge(new CorosyncView((int)numbers[3], numbers[4] == 1, numbers[5])),
            "remoted" => new HealthVerdict(Health.Healthy, "pacemaker-remoted is here"),
            _ => new HealthVerdict(Health.Unknown, string.Join(' ', words.Skip(3))),
        });
    }

    /// <summary>This node in the output of crm_mon; null if it is not whole or knows no cluster.</summary>
    internal static PacemakerNode? ParseNode(string text, string name)
    {
        var node = default(PacemakerNode);
        var isWhole = false;
        foreach (var tag in XmlTag.Find(text))
        {
            switch (tag.Name)
            {
                case "current_dc":
                    node = node with { HasController = tag.Is("present"), HasQuorum = tag.Is("with_quorum") };
                    break;
                case "cluster_options":
                    var keeps = tag.Attribute("no-quorum-policy") is "stop" or "freeze" or "demote" or "ignore";
                    node = node with { KeepsRunningWithoutQuorum = keeps };
                    break;
                // Resources have nodes as well, which are not online nor offline.
                case "node" when tag.Attribute("online") is not null
                    && string.Equals(tag.Attribute("name"), name, StringComparison.OrdinalIgnoreCase):
                    node = node with
                    {
                        IsOnline = tag.Is("online"), IsUnclean = tag.Is("unclean"), IsPending = tag.Is("pending"),
                    };
                    break;
                case "status":
                    isWhole = tag.Attribute("code") == "0";
                    break;
            }
        }

        return isWhole ? node : null;
    }
}
