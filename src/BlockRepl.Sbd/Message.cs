namespace BlockRepl.Sbd;

/// <summary>What a mailbox says. Any other value of the byte is possible too.</summary>
public enum Message : sbyte
{
    Clear = 0,
    Test = 1,
    Reset = 2,
    Off = 3,
    Exit = 4,
    CrashDump = 5,
}

/// <summary>The words of the command line and of the listing.</summary>
public static class MessageWords
{
    private static readonly string[] Words = ["clear", "test", "reset", "off", "exit", "crashdump"];

    /// <summary>The word of a message, "undefined" for one that nobody knows.</summary>
    public static string Word(this Message message) =>
        message is >= Message.Clear and <= Message.CrashDump ? Words[(int)message] : "undefined";

    /// <summary>Whether a node that reads it is no more.</summary>
    public static bool EndsNode(this Message message) =>
        message is Message.Reset or Message.Off or Message.CrashDump;

    public static Message? Parse(string word)
    {
        var index = Array.IndexOf(Words, word);
        return index < 0 ? null : (Message)index;
    }
}
