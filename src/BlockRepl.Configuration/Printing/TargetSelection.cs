using System.Globalization;
using BlockRepl.Configuration.Resolution;
using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration.Printing;

/// <summary>A resource that a command was given, and the one volume of it if only that was meant.</summary>
internal sealed record Target(NodeView View, int? Volume)
{
    /// <summary>The volumes of this node that are meant.</summary>
    public IEnumerable<VolumeSyntax> Volumes =>
        View.Own!.Volumes.All.Values.Where(volume => Volume is null || volume.Number == Volume);
}

/// <summary>Finds what the words after a command mean on one node: <c>all</c>, a resource, a volume, a minor.</summary>
internal static class TargetSelection
{
    /// <summary>The targets of one word; null if there are none of this name.</summary>
    public static IReadOnlyList<Target>? Find(IReadOnlyList<NodeView> own, string word)
    {
        if (word == "all")
        {
            return [.. own.Select(view => new Target(view, null))];
        }

        foreach (NodeView view in own)
        {
            string name = view.Syntax.Name;
            if (word == name)
            {
                return [new Target(view, null)];
            }

            if (word.StartsWith("minor-", StringComparison.Ordinal)
                && TryNumber(word.AsSpan("minor-".Length), out int minor)
                && view.Own!.Volumes.All.Values.FirstOrDefault(volume => volume.Device!.Minor == minor) is { } volume)
            {
                return [new Target(view, volume.Number)];
            }

            if (word.Length > name.Length + 1 && word.StartsWith(name, StringComparison.Ordinal)
                && word[name.Length] == '/' && TryNumber(word.AsSpan(name.Length + 1), out int number)
                && view.Own!.Volumes.All.ContainsKey(number))
            {
                return [new Target(view, number)];
            }
        }

        return null;
    }

    private static bool TryNumber(ReadOnlySpan<char> text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
