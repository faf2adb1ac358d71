//! The set-up of a connector, step by step, as far as it is known without asking Entra or Business Central.

use serde::{Serialize, Serializer};

use crate::guide::Step;
use crate::proxy::Condition;

/// What is known of the steps of a connector's set-up.
#[derive(Debug, Serialize)]
pub struct Checklist {
    /// The step that is wrong.
    #[serde(rename = "wrong_step", serialize_with = "serialize_number")]
    wrong: Option<Step>,
    /// The last step that is done, as long as none is wrong.
    #[serde(skip)]
    done: Step,
}

/// A step of the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepReport {
    /// Its number in the guide, from 1.
    pub number: usize,
    /// Its heading in the guide.
    pub title: &'static str,
    pub state: StepState,
}

/// What is known of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    Done,
    Wrong,
    /// Nothing is known of it yet.
    NotChecked,
}

impl Checklist {
    /// What the condition of a connector tells. The steps before a wrong one are done, since the guide has an order.
    pub fn of(condition: &Condition) -> Self {
        match condition {
            Condition::Waiting => Self { wrong: None, done: Step::Configuration },
            Condition::NotReady(rejection) => Self { wrong: rejection.step, done: Step::Configuration },
            // A token without the permission is a token, too.
            Condition::Ready(None) => Self { wrong: None, done: Step::Subscription },
            Condition::Ready(Some(_)) => Self { wrong: None, done: Step::Company },
        }
    }

    /// Notes that a request was served: everything works.
    pub fn note_served(&mut self) {
        if self.wrong.is_none() {
            self.done = Step::Route;
        }
    }

    /// All steps, in the order of the guide.
    pub fn steps(&self) -> impl Iterator<Item = StepReport> {
        let state = |step: Step| match self.wrong {
            Some(wrong) if step == wrong => StepState::Wrong,
            Some(wrong) if step < wrong => StepState::Done,
            // Business Central lists its companies to an application without permission sets.
            None if step == Step::PermissionSet && self.done < Step::Route => StepState::NotChecked,
            None if step <= self.done => StepState::Done,
            _ => StepState::NotChecked,
        };
        Step::ALL.into_iter().map(move |step| StepReport {
            number: step.number(),
            title: step.title(),
            state: state(step),
        })
    }
}

fn serialize_number<S: Serializer>(step: &Option<Step>, serializer: S) -> Result<S::Ok, S::Error> {
    step.map(Step::number).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(checklist: &Checklist) -> String {
        let sign = |step: StepReport| match step.state {
            StepState::Done => '+',
            StepState::Wrong => '!',
            StepState::NotChecked => '-',
        };
        checklist.steps().map(sign).collect()
    }

    #[test]
    fn the_steps_before_a_wrong_one_are_done() {
        let mut wrong = Checklist { wrong: Some(Step::Credential), done: Step::Configuration };
        assert_eq!(states(&wrong), "+++++++!--------");
        wrong.note_served();
        assert_eq!(states(&wrong), "+++++++!--------");
    }

    #[test]
    fn a_served_request_is_the_proof_of_all_steps() {
        let mut ready = Checklist::of(&Condition::Ready(None));
        assert_eq!(states(&ready), "++++++++++------");
        ready.note_served();
        assert_eq!(states(&ready), "++++++++++++++++");
        let with_company = Checklist { wrong: None, done: Step::Company };
        assert_eq!(states(&with_company), "+++++++++++++-+-");
    }
}
