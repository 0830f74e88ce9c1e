namespace BlockRepl.Iscsi.Protocol;

/// <summary>Text that came from the network, made fit for a message.</summary>
internal static class Printable
{
    private const int Longest = 80;

    public static string Text(string text)
    {
        string cut = text.Length > Longest ? text[..Longest] + "..." : text;
        return string.Create(cut.Length, cut, static (target, source) =>
        {
            for (int i = 0; i < target.Length; i++)
            {
                target[i] = source[i] is >= ' ' and <= '~' ? source[i] : '?';
            }
        });
    }
}
