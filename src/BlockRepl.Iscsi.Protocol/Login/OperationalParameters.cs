using System.Globalization;
using BlockRepl.Iscsi.Protocol.Pdus;

namespace BlockRepl.Iscsi.Protocol.Login;

/// <summary>What the login agreed on for the session, starting with the defaults of RFC 7143, chapter 13.</summary>
internal sealed class OperationalParameters
{
    /// <summary>Longest transfer of a command, and longest data segment that we take.</summary>
    public const int MaxTransfer = 262144;

    private const int OfferedFirstBurst = 65536;
    private const int SmallestSegment = 512;
    private const int LargestSegment = 0xffffff;

    private static readonly HashSet<string> Offered = [.. Offer().Pairs.Select(pair => pair.Key)];

    public Digests Digests { get; private set; }

    public bool ImmediateData { get; private set; } = true;

    public int FirstBurst { get; private set; } = OfferedFirstBurst;

    public int MaxBurst { get; private set; } = MaxTransfer;

    /// <summary>Longest data segment that the target takes.</summary>
    public int TargetSegment { get; private set; } = 8192;

    /// <summary>How many bytes of a write may travel with its command.</summary>
    public int MaxImmediate => ImmediateData ? Math.Min(FirstBurst, TargetSegment) : 0;

    /// <summary>Error recovery level 0, one connection, everything in its order.</summary>
    public static TextKeys Offer() => new TextKeys()
        .Add("HeaderDigest", "CRC32C,None")
        .Add("DataDigest", "CRC32C,None")
        .Add("InitialR2T", "Yes")
        .Add("ImmediateData", "Yes")
        .Add("MaxBurstLength", Number(MaxTransfer))
        .Add("FirstBurstLength", Number(OfferedFirstBurst))
        .Add("MaxRecvDataSegmentLength", Number(MaxTransfer))
        .Add("MaxOutstandingR2T", "1")
        .Add("MaxConnections", "1")
        .Add("ErrorRecoveryLevel", "0")
        .Add("DefaultTime2Wait", "2")
        .Add("DefaultTime2Retain", "0")
        .Add("DataPDUInOrder", "Yes")
        .Add("DataSequenceInOrder", "Yes");

    /// <summary>Takes what the target says about one key.</summary>
    /// <returns>What to answer, if the target asked for something of its own; else null.</returns>
    /// <exception cref="IscsiException">The value is none that our offer allows.</exception>
    public string? Take(string name, string value)
    {
        if (!Offered.Contains(name))
        {
            return name is "TargetAlias" or "TargetAddress" or "TargetPortalGroupTag" ? null : "NotUnderstood";
        }

        // With any of these answers the key keeps its default.
        if (value is not ("NotUnderstood" or "Irrelevant" or "Reject"))
        {
            TakeKnown(name, value);
        }

        return null;
    }

    private void TakeKnown(string name, string value)
    {
        switch (name)
        {
            case "HeaderDigest":
                Digests = Digests with { Header = IsCrc(name, value) };
                break;
            case "DataDigest":
                Digests = Digests with { Data = IsCrc(name, value) };
                break;
            case "ImmediateData":
                ImmediateData = IsYes(name, value);
                break;
            case "InitialR2T" or "DataPDUInOrder" or "DataSequenceInOrder" when !IsYes(name, value):
                throw Bad(name, value);
            case "MaxBurstLength":
                MaxBurst = InRange(name, value, SmallestSegment, MaxTransfer);
                break;
            case "FirstBurstLength":
                FirstBurst = InRange(name, value, SmallestSegment, OfferedFirstBurst);
                break;
            case "MaxRecvDataSegmentLength":
                TargetSegment = InRange(name, value, SmallestSegment, LargestSegment);
                break;
            case "MaxOutstandingR2T" or "MaxConnections":
                InRange(name, value, 1, 1);
                break;
            case "ErrorRecoveryLevel" or "DefaultTime2Retain":
                InRange(name, value, 0, 0);
                break;
            case "DefaultTime2Wait":
                InRange(name, value, 0, 3600);
                break;
        }
    }

    private static bool IsCrc(string name, string value) => value switch
    {
        "CRC32C" => true,
        "None" => false,
        _ => throw Bad(name, value),
    };

    private static bool IsYes(string name, string value) => value switch
    {
        "Yes" => true,
        "No" => false,
        _ => throw Bad(name, value),
    };

    private static int InRange(string name, string value, int least, int most)
    {
        bool isHex = value.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return int.TryParse(
            isHex ? value.AsSpan(2) : value,
            isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None,
            CultureInfo.InvariantCulture,
            out int number) && number >= least && number <= most
            ? number
            : throw Bad(name, value);
    }

    private static IscsiException Bad(string name, string value) =>
        IscsiException.Violation($"{name}={Printable.Text(value)} does not fit what was offered");

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
