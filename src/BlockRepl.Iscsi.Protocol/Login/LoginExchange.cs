using BlockRepl.Iscsi.Protocol.Pdus;

namespace BlockRepl.Iscsi.Protocol.Login;

/// <summary>Who logs in where, and the chance and the digests that CHAP needs.</summary>
/// <param name="OwnChallenge">Fresh random bytes: what the target is challenged with if CHAP is mutual.</param>
internal sealed record LoginSettings(
    string InitiatorName, string TargetName, byte[] Isid, ulong Lun, ChapCredentials? Chap, ChapChallenge OwnChallenge,
    ChapDigest Digest);

/// <summary>The text of a login request and the stages in its header.</summary>
internal readonly record struct LoginStep(bool Transit, LoginStage Stage, TextKeys Keys)
{
    public LoginStage NextStage => Stage == LoginStage.Security ? LoginStage.Operational : LoginStage.FullFeature;
}

/// <summary>
/// The conversation of a login: security stage with CHAP in one or both directions, then the operational stage. Each
/// answer of the target leads to the next step or to the end.
/// </summary>
internal sealed class LoginExchange(LoginSettings settings)
{
    private enum Expect
    {
        AuthenticationMethod,
        Challenge,
        Proof,
        EndOfSecurity,
        Operational,
    }

    private Expect _expect = Expect.AuthenticationMethod;
    private ChapAlgorithm _algorithm;

    public OperationalParameters Parameters { get; } = new();

    public bool IsComplete { get; private set; }

    public LoginStep First()
    {
        TextKeys keys = new TextKeys()
            .Add("InitiatorName", settings.InitiatorName)
            .Add("TargetName", settings.TargetName)
            .Add("SessionType", "Normal")
            .Add("AuthMethod", OfferedMethods());
        return new LoginStep(settings.Chap is null, LoginStage.Security, keys);
    }

    /// <summary>The next request; null when the login is complete.</summary>
    /// <param name="transits">Whether the target goes on to the next stage.</param>
    /// <exception cref="IscsiException">The target has not proved who it is, or its answer makes no
    /// sense.</exception>
    public LoginStep? Next(bool transits, TextKeys answer)
    {
        switch (_expect)
        {
            case Expect.AuthenticationMethod:
                return TakeMethod(answer.Find("AuthMethod"), transits);

            case Expect.Challenge:
                RefuseTransit(transits);
                return AnswerChallenge(answer);

            case Expect.Proof:
                CheckProof(answer);
                _expect = Expect.EndOfSecurity;
                return EndSecurity(transits);

            case Expect.EndOfSecurity:
                return EndSecurity(transits);

            default:
                return TakeOperational(transits, answer);
        }
    }

    /// <summary>Nothing less than CHAP will do if the target must prove itself.</summary>
    private string OfferedMethods() => settings.Chap switch
    {
        null => "None",
        { Target: null } => "CHAP,None",
        _ => "CHAP",
    };

    private LoginStep? TakeMethod(string? method, bool transits)
    {
        switch (method)
        {
            case "CHAP" when settings.Chap is not null:
                RefuseTransit(transits);
                _expect = Expect.Challenge;
                return new LoginStep(false, LoginStage.Security, new TextKeys().Add("CHAP_A", Chap.Offer));

            // A target without authentication need not mention the method when it goes on at once.
            case "None" or null when settings.Chap is null or { Target: null }:
                _expect = Expect.EndOfSecurity;
                return EndSecurity(transits);

            default:
                throw new IscsiException(
                    IscsiError.AuthenticationFailed,
                    $"the target offers AuthMethod={Printable.Text(method ?? "")} and we offer {OfferedMethods()}");
        }
    }

    private LoginStep AnswerChallenge(TextKeys answer)
    {
        _algorithm = Chap.ParseAlgorithm(answer.Require("CHAP_A"));
        var challenge = new ChapChallenge(
            Chap.ParseId(answer.Require("CHAP_I")), Chap.ParseBinary("CHAP_C", answer.Require("CHAP_C")));

        // Whoever sends our challenge back wants us to compute the proof that is asked of him.
        if (challenge.Bytes.AsSpan().SequenceEqual(settings.OwnChallenge.Bytes))
        {
            throw Impostor("it sent our own challenge");
        }

        ChapAccount account = settings.Chap!.Initiator;
        TextKeys keys = new TextKeys()
            .Add("CHAP_N", account.User)
            .Add("CHAP_R", Chap.ToHex(Chap.Answer(settings.Digest, _algorithm, challenge, account.Secret)));
        _expect = Expect.EndOfSecurity;
        if (settings.Chap.Target is not null)
        {
            keys.Add("CHAP_I", $"{settings.OwnChallenge.Id}").Add("CHAP_C", Chap.ToHex(settings.OwnChallenge.Bytes));
            _expect = Expect.Proof;
        }

        return new LoginStep(true, LoginStage.Security, keys);
    }

    private void CheckProof(TextKeys answer)
    {
        ChapAccount expected = settings.Chap!.Target!;
        if (answer.Find("CHAP_N") is not { } name || answer.Find("CHAP_R") is not { } proof)
        {
            throw Impostor("it sent no proof; has it an outgoing account?");
        }

        if (name != expected.User)
        {
            throw Impostor($"it calls itself {Printable.Text(name)}");
        }

        byte[] right = Chap.Answer(settings.Digest, _algorithm, settings.OwnChallenge, expected.Secret);
        if (!Chap.IsAnswer(Chap.ParseBinary("CHAP_R", proof), right))
        {
            throw Impostor("its secret is not ours (the target's outgoing account)");
        }
    }

    private IscsiException Impostor(string why) => new(
        IscsiError.AuthenticationFailed,
        $"the target did not prove to be {Printable.Text(settings.Chap!.Target?.User ?? settings.TargetName)}: {why}");

    private LoginStep EndSecurity(bool transits)
    {
        if (!transits)
        {
            return new LoginStep(true, LoginStage.Security, new TextKeys());
        }

        _expect = Expect.Operational;
        return new LoginStep(true, LoginStage.Operational, OperationalParameters.Offer());
    }

    private LoginStep? TakeOperational(bool transits, TextKeys answer)
    {
        var reply = new TextKeys();
        foreach (KeyValuePair<string, string> pair in answer.Pairs)
        {
            if (Parameters.Take(pair.Key, pair.Value) is { } value)
            {
                reply.Add(pair.Key, value);
            }
        }

        IsComplete = transits;
        return transits ? null : new LoginStep(true, LoginStage.Operational, reply);
    }

    private static void RefuseTransit(bool transits)
    {
        if (transits)
        {
            throw IscsiException.Violation("the security stage ends before CHAP does");
        }
    }
}
