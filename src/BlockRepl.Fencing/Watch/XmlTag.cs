namespace BlockRepl.Fencing.Watch;

/// <summary>
/// The tags in a text, with their attributes: all that is needed of what libxml2 writes for Pacemaker. The framework's
/// reader would make the program twice as large.
/// </summary>
internal readonly record struct XmlTag(string Name, string Rest)
{
    public static IEnumerable<XmlTag> Find(string text)
    {
        for (var open = text.IndexOf('<'); open >= 0; open = text.IndexOf('<', open + 1))
        {
            var close = text.IndexOf('>', open);
            if (close < 0)
            {
                yield break;
            }

            var tag = text[(open + 1)..close];
            var blank = tag.IndexOf(' ');
            yield return blank < 0 ? new XmlTag(tag, "") : new XmlTag(tag[..blank], tag[blank..]);
        }
    }

    /// <summary>The value as it stands; null if there is none of this name.</summary>
    public string? Attribute(string name)
    {
        // A quotation mark within a value is written as an entity, so this cannot be found within one.
        var before = $" {name}=\"";
        var start = Rest.IndexOf(before, StringComparison.Ordinal);
        var end = start < 0 ? -1 : Rest.IndexOf('"', start + before.Length);
        return end < 0 ? null : Rest[(start + before.Length)..end];
    }

    public bool Is(string name) => Attribute(name) == "true";
}
