using System.Xml;
using System.Xml.Linq;

namespace BlockRepl.Cluster.Tests;

/// <summary>What crm_mon says.</summary>
internal sealed record ClusterStatus(
    IReadOnlySet<string> OnlineNodes, IReadOnlyList<(string Resource, string Role, string Node)> Active)
{
    /// <summary>Null: the cluster does not answer (yet).</summary>
    public static ClusterStatus? Parse(string xml)
    {
        XElement root;
        try
        {
            root = XElement.Parse(xml);
        }
        catch (XmlException)
        {
            return null;
        }

        // All nodes are members and none is about to be shot.
        var online = root.Descendants("nodes").Elements("node")
            .Where(node => Is(node, "online") && !Is(node, "unclean") && !Is(node, "pending"))
            .Select(node => Word(node, "name"));
        var active = root.Descendants("resource")
            .Where(resource => Is(resource, "active") && !Is(resource, "failed"))
            .SelectMany(resource => resource.Elements("node").Select(
                node => (Word(resource, "id"), Word(resource, "role"), Word(node, "name"))));
        return new ClusterStatus(online.ToHashSet(), [.. active]);
    }

    /// <summary>Where a resource has a role: one node, or null.</summary>
    public string? Where(string resource, string role)
    {
        string[] nodes = [.. Active.Where(known => known.Resource == resource && known.Role == role)
            .Select(known => known.Node)];
        return nodes.Length == 1 ? nodes[0] : null;
    }

    private static bool Is(XElement element, string name) => Word(element, name) == "true";

    private static string Word(XElement element, string name) => element.Attribute(name)?.Value ?? "";
}
